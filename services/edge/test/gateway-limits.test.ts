/** What the gateway allows and what it ends, seen from outside. */
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { issueToken } from '@signalbox/kit'
import { openSocket } from '@signalbox/testkit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  ACCOUNT,
  ask,
  changeFrame,
  type EdgeBed,
  memoryEngines,
  okFrame,
  publish,
  startEdge,
  stateChange,
  subscribeTo,
  TOKEN_SECRET,
  tokenFor,
} from './edge-bed.ts'

const MINUTE_MS = 60_000

let engines: ReturnType<typeof memoryEngines>
let edge: EdgeBed | undefined

beforeEach(() => {
  engines = memoryEngines()
})
afterEach(async () => {
  vi.useRealTimers()
  await edge?.[Symbol.asyncDispose]()
  await engines[Symbol.asyncDispose]()
})

async function start(options: Parameters<typeof startEdge>[1] = {}): Promise<EdgeBed> {
  edge = await startEdge(engines, options)
  return edge
}

async function connectAs(subject: { personKey?: string; keyId?: string }) {
  const issued = await issueToken(TOKEN_SECRET, { accountKey: ACCOUNT, ...subject }, 3_600)
  const socket = await openSocket(`ws://${edge?.origin}/v1/socket?token=${issued.token}`)
  return { socket, ...issued }
}

/** The answer to a handshake, whatever it is. */
async function handshake(headers: Record<string, string>): Promise<IncomingMessage> {
  const [host = '', port = ''] = edge?.origin.split(':') ?? []
  const request = httpRequest({
    host,
    port,
    path: '/v1/socket',
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-version': '13',
      ...headers,
    },
  })
  request.end()
  const [response] = (await Promise.race([
    once(request, 'response'),
    once(request, 'upgrade'),
  ])) as [IncomingMessage]
  response.socket.destroy()
  return response
}

describe('a token that is revoked', () => {
  it.each([
    ['by itself', (jti: string) => ({ jti })],
    ['with its person', () => ({ personKey: 'p1' })],
    ['with the key it was issued with', () => ({ keyId: 'k1' })],
  ])('%s closes its sockets with 4002, and no others, and opens none', async (_how, targetOf) => {
    await start()
    const revoked = await connectAs({ personKey: 'p1', keyId: 'k1' })
    const other = await connectAs({ personKey: 'p2', keyId: 'k2' })
    await using _other = other.socket
    await engines.store.revocations.revoke(ACCOUNT, targetOf(revoked.jti), MINUTE_MS)
    expect(await revoked.socket.closed).toEqual({ code: 4002, reason: 'token revoked' })
    expect(await ask(other.socket, subscribeTo('p2', 'flow', 1))).toBe(okFrame(1))
    await expect(
      openSocket(`ws://${edge?.origin}/v1/socket?token=${revoked.token}`),
    ).rejects.toThrow(/401 .*revoked/)
    const refresh = { action: 'refresh_token', request_id: 2, data: { token: revoked.token } }
    expect(JSON.parse(await ask(other.socket, refresh))).toMatchObject({ status: 401 })
  })
})

describe('a socket whose token is refreshed', () => {
  it('outlives the first token and ends with the second', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'Date'] })
    await start()
    const { socket } = await connectAs({ personKey: 'p1' })
    const second = await tokenFor({ personKey: 'p1' }, 2 * 3_600)
    const refresh = { action: 'refresh_token', request_id: 1, data: { token: second } }
    expect(JSON.parse(await ask(socket, refresh))).toMatchObject({
      status: 200,
      expires_at: expect.stringMatching(/Z$/),
    })
    vi.setSystemTime(Date.now() + 3_700_000)
    vi.advanceTimersByTime(1_000)
    expect(await ask(socket, subscribeTo('p1', 'flow', 2))).toBe(okFrame(2))
    vi.setSystemTime(Date.now() + 3_700_000)
    vi.advanceTimersByTime(1_000)
    expect(await socket.closed).toEqual({ code: 4001, reason: 'token expired' })
  })
})

describe('a socket that asks for nothing', () => {
  it('is closed with 4004 after a time, one with a subscription is not', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'performance'] })
    await start({ maxIdleMs: 10_000 })
    const idle = await connectAs({ personKey: 'p1' })
    const subscribed = await connectAs({ personKey: 'p2' })
    await ask(subscribed.socket, subscribeTo('p2', 'flow', 1))
    vi.advanceTimersByTime(9_000)
    expect(JSON.parse(await ask(idle.socket, { action: 'list', request_id: 1 }))).toMatchObject({
      status: 200,
    })
    vi.advanceTimersByTime(9_000)
    expect(JSON.parse(await ask(idle.socket, { action: 'list', request_id: 2 }))).toMatchObject({
      status: 200,
    })
    vi.advanceTimersByTime(12_000)
    expect(await idle.socket.closed).toEqual({ code: 4004, reason: 'idle' })
    expect(await ask(subscribed.socket, subscribeTo('p2', 'flow', 2))).toBe(okFrame(2))
    await subscribed.socket.close()
  })
})

describe('a handshake', () => {
  it('of a page of another origin is answered 403', async () => {
    await start({ origins: ['https://example.org'] })
    const authorization = `Bearer ${await tokenFor()}`
    const statusOf = async (headers: Record<string, string>) =>
      (await handshake({ authorization, ...headers })).statusCode
    expect(await statusOf({ origin: 'https://example.com' })).toBe(403)
    expect(await statusOf({ origin: 'https://example.org' })).toBe(101)
    expect(await statusOf({})).toBe(101)
  })

  it('beyond the pace is answered 503, and when to come back', async () => {
    await start({ acceptsPerSecond: 1 })
    const authorization = `Bearer ${await tokenFor()}`
    const answers = []
    for (let count = 0; count < 3; count++) answers.push(await handshake({ authorization }))
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([101, 101, 503])
    const wait = Number(answers[2]?.headers['retry-after'])
    expect(wait).toBeGreaterThanOrEqual(1)
    expect(wait).toBeLessThanOrEqual(5)
    expect(await edge?.sample('signalbox_edge_refusals_total{code="SB_UNAVAILABLE"}')).toBe(1)
  })

  it('that breaks the protocol keeps no seat', async () => {
    await start({ maxConnections: 1 })
    const authorization = `Bearer ${await tokenFor()}`
    for (let count = 0; count < 3; count++) {
      const answer = await handshake({ authorization, 'sec-websocket-key': 'short' })
      expect(answer.statusCode).toBe(400)
    }
    expect((await handshake({ authorization })).statusCode).toBe(101)
  })

  it('for another protocol is answered as if it were no upgrade', async () => {
    await start()
    const [host = '', port = ''] = edge?.origin.split(':') ?? []
    const request = httpRequest({
      host,
      port,
      path: '/healthz',
      headers: { connection: 'Upgrade', upgrade: 'h2c' },
    })
    request.end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    expect(response.statusCode).toBe(200)
    response.resume()
  })

  it('of one person too many is answered 429', async () => {
    await start({ maxPerPerson: 1 })
    const { socket } = await connectAs({ personKey: 'p1' })
    await expect(connectAs({ personKey: 'p1' })).rejects.toThrow(/429 .*SB_TOO_MANY.*the person/)
    await socket.close()
    await vi.waitFor(async () => (await connectAs({ personKey: 'p1' })).socket.close())
  })
})

describe('what the edge tells of its sockets', () => {
  it('is who is connected, every few seconds, and that nobody is when it ends', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] })
    await start({ edgeId: 'edge-1' })
    const one = await connectAs({ personKey: 'p1' })
    const two = await connectAs({})
    await ask(one.socket, subscribeTo('p1', 'flow', 1))
    vi.advanceTimersByTime(5_000)
    const present = () => engines.store.presence.read(ACCOUNT)
    await vi.waitFor(async () => {
      expect(await present()).toEqual(
        new Map([
          [
            'edge-1',
            {
              connections: 2,
              subscriptions: 1,
              persons: [{ personKey: 'p1', connections: 1, subscriptions: 1 }],
            },
          ],
        ]),
      )
    })
    await one.socket.close()
    await two.socket.close()
    vi.advanceTimersByTime(5_000)
    await vi.waitFor(async () => expect(await present()).toEqual(new Map()))
  })

  it('is in the biography of an event how many it reached', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] })
    await start({ edgeId: 'edge-1' })
    const sockets = [await connectAs({}), await connectAs({ personKey: 'p1' })]
    for (const { socket } of sockets) await ask(socket, subscribeTo('p1', 'flow', 1))
    const event = { ...stateChange('p1', 'flow', 'f1'), event_id: 'e1' }
    await publish(engines.broker, event)
    for (const { socket } of sockets) expect(await socket.next()).toBe(changeFrame(1, 'flow', 'f1'))
    vi.advanceTimersByTime(1_000)
    const at = new Date().toISOString()
    const received = { fact: 'received' as const, at, event: { ...event, timestamp: at } }
    await engines.store.biographies.record([
      { accountKey: ACCOUNT, eventId: 'e1', facts: [received] },
    ])
    await vi.waitFor(async () => {
      const biography = await engines.store.biographies.get(ACCOUNT, 'e1')
      expect(biography?.shown).toEqual({ sockets: 2, at: expect.any(String) })
    })
    for (const { socket } of sockets) await socket.close()
  })
})

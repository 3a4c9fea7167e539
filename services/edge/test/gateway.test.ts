import { once } from 'node:events'
import { issueToken, newSecret } from '@signalbox/kit'
import { openSocket } from '@signalbox/testkit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import { encodePayload } from '../src/state-change.ts'
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
  tokenFor,
  unsubscribeFrom,
} from './edge-bed.ts'

let engines: ReturnType<typeof memoryEngines>
let edge: EdgeBed

beforeEach(async () => {
  engines = memoryEngines()
  edge = await startEdge(engines)
})
afterEach(async () => {
  await edge[Symbol.asyncDispose]()
  await engines[Symbol.asyncDispose]()
})

const socketUrl = (query = '') => `ws://${edge.origin}/v1/socket${query}`

describe('subscribing over a socket', () => {
  it('speaks the protocol byte for byte', async () => {
    await using client = await edge.connect({ personKey: 'p1' })
    client.send(
      '{"action":"subscribe_state_change","request_id":1519211809934,"data":{"person_key":"p1","entity":"flow"}}',
    )
    expect(await client.next()).toBe('{"request_id":1519211809934,"errors":[],"status":200}')
    await publish(engines.broker, stateChange('p1', 'flow', 'f1'))
    expect(await client.next()).toBe(
      '{"event":"state_change","request_id":1519211809934,"data":{"entity":"flow","id":"f1","identifier":"flow-1","state":"completed","previous_state":"active"}}',
    )
  })

  it('delivers each change once, with the request_id of the first of many subscriptions', async () => {
    await using client = await edge.connect({ personKey: 'p1' })
    for (const id of [1, 'two', 3]) {
      expect(await ask(client, subscribeTo('p1', 'flow', id))).toBe(okFrame(id))
    }
    await publish(engines.broker, stateChange('p1', 'flow', 'a'), stateChange('p1', 'flow', 'b'))
    expect(await client.next()).toBe(changeFrame(1, 'flow', 'a'))
    expect(await client.next()).toBe(changeFrame(1, 'flow', 'b'))
  })

  it('shows the entity and the person that were asked for, and no other', async () => {
    await using client = await edge.connect()
    await ask(client, subscribeTo('p1', 'flow', 1))
    await ask(client, subscribeTo('p2', 'step', 2))
    await publish(
      engines.broker,
      stateChange('p1', 'step', 'a'),
      stateChange('p2', 'flow', 'b'),
      stateChange('p3', 'flow', 'c'),
      { ...stateChange('p1', 'flow', 'd'), account_key: 'another-account' },
      stateChange('p2', 'step', 'e'),
      stateChange('p1', 'flow', 'f'),
    )
    expect(await client.next()).toBe(changeFrame(2, 'step', 'e'))
    expect(await client.next()).toBe(changeFrame(1, 'flow', 'f'))
  })

  it('ends with an unsubscription, which may be repeated, and begins anew under a new request_id', async () => {
    await using client = await edge.connect({ personKey: 'p1' })
    await ask(client, subscribeTo('p1', 'flow', 1))
    await ask(client, subscribeTo('p1', 'step', 2))
    expect(await ask(client, unsubscribeFrom('p1', 'flow', 3))).toBe(okFrame(3))
    expect(await ask(client, unsubscribeFrom('p1', 'flow', 4))).toBe(okFrame(4))
    await publish(engines.broker, stateChange('p1', 'flow', 'a'), stateChange('p1', 'step', 'b'))
    expect(await client.next()).toBe(changeFrame(2, 'step', 'b'))

    expect(await ask(client, subscribeTo('p1', 'flow', 5))).toBe(okFrame(5))
    await publish(engines.broker, stateChange('p1', 'flow', 'c'))
    expect(await client.next()).toBe(changeFrame(5, 'flow', 'c'))
  })

  it('is refused for another person than the token names, and leaves the socket open', async () => {
    await using client = await edge.connect({ personKey: 'p1' })
    expect(await ask(client, subscribeTo('p2', 'flow', 1))).toBe(
      '{"request_id":1,"errors":[{"code":"SB_FORBIDDEN","message":"the token is for somebody else","path":"data.person_key"}],"status":403}',
    )
    expect(await ask(client, subscribeTo('p1', 'flow', 2))).toBe(okFrame(2))
  })

  it('is counted while it lasts', async () => {
    await using client = await edge.connect({ personKey: 'p1' })
    await ask(client, subscribeTo('p1', 'flow', 1))
    await ask(client, subscribeTo('p1', 'step', 2))
    await publish(engines.broker, stateChange('p1', 'flow', 'a'))
    await client.next()
    expect(await edge.sample('signalbox_edge_connections')).toBe(1)
    expect(await edge.sample('signalbox_edge_subscriptions')).toBe(2)
    expect(await edge.sample('signalbox_edge_frames_sent_total{kind="answer"}')).toBe(2)
    expect(await edge.sample('signalbox_edge_frames_sent_total{kind="state_change"}')).toBe(1)
    expect(await edge.sample('signalbox_edge_delivery_seconds_count')).toBe(1)
    await client.close()
    await vi.waitFor(async () => {
      expect(await edge.sample('signalbox_edge_connections')).toBe(0)
      expect(await edge.sample('signalbox_edge_subscriptions')).toBe(0)
    })
  })
})

describe('opening a socket', () => {
  it.each([
    ['in the header', (token: string) => ({ headers: { authorization: `Bearer ${token}` } }), ''],
    [
      'in the subprotocols',
      (token: string) => ({ protocols: ['signalbox.v1', `bearer.${token}`] }),
      'signalbox.v1',
    ],
    ['in the query', (token: string) => ({ query: `?token=${token}` }), ''],
  ])('takes the token %s', async (_where, place, protocol) => {
    const { query, ...options } = { query: '', ...place(await tokenFor({ personKey: 'p1' })) }
    await using client = await openSocket(socketUrl(query), options)
    expect(client.protocol).toBe(protocol)
    expect(await ask(client, subscribeTo('p1', 'flow', 1))).toBe(okFrame(1))
  })

  it.each([
    ['no token', async () => undefined, 'a token is needed'],
    ['a token that is none', async () => 'nonsense', 'the token is not valid'],
    ['an expired token', () => tokenFor({ personKey: 'p1' }, -60), 'the token has expired'],
    [
      'a token that somebody else signed',
      async () => (await issueToken(newSecret(), { accountKey: ACCOUNT }, 60)).token,
      'the token is not valid',
    ],
  ])('is answered 401 before the upgrade with %s', async (_what, tokenIn, reason) => {
    const token = await tokenIn()
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const refusal = await openSocket(socketUrl(), { headers }).catch(
      (error: Error) => error.message,
    )
    expect(refusal).toMatch(/refused the socket: 401 \{.*"code":"SB_UNAUTHENTICATED"/)
    expect(refusal).toContain(reason)
  })

  it('is answered 503 when the edge holds as many sockets as it may, and possible again after one has gone', async () => {
    await using small = await startEdge(engines, { maxConnections: 1 })
    const first = await small.connect()
    await expect(small.connect()).rejects.toThrow(/503 \{.*"code":"SB_UNAVAILABLE"/)
    await first.close()
    await vi.waitFor(async () => (await small.connect()).close())
  })

  it('is answered 400 when it is no upgrade, 404 when it is elsewhere', async () => {
    const plain = await fetch(`http://${edge.origin}/v1/socket`)
    expect(plain.status).toBe(400)
    expect(await plain.json()).toMatchObject({ code: 'SB_INVALID_INPUT' })
    await expect(openSocket(`ws://${edge.origin}/elsewhere`)).rejects.toThrow(
      /404 \{.*SB_NOT_FOUND/,
    )
  })
})

describe('a client out of bounds', () => {
  it('is answered when a frame is binary, and stays', async () => {
    const client = new WebSocket(socketUrl(`?token=${await tokenFor()}`))
    await once(client, 'open')
    client.send(Buffer.from([1, 2, 3]))
    const [answer] = (await once(client, 'message')) as [Buffer]
    expect(JSON.parse(answer.toString())).toMatchObject({ request_id: null, status: 400 })
    client.close()
    await once(client, 'close')
  })

  it.each([
    ['a frame of more than 16 KiB', 1009, 'x'.repeat(16 * 1024 + 1), {}],
    ['text that is not UTF-8', 1007, Buffer.from([0xff]), { binary: false }],
    ['a frame that is not masked', 1002, 'x', { mask: false }],
  ])('is closed for %s with %i', async (_what, code, data, options) => {
    const client = new WebSocket(socketUrl(`?token=${await tokenFor()}`))
    await once(client, 'open')
    client.send(data, options)
    const [closedWith] = (await once(client, 'close')) as [number]
    expect(closedWith).toBe(code)
  })

  it('is answered 429 for one subscription too many', async () => {
    await using small = await startEdge(engines, { maxSubscriptions: 1 })
    await using client = await small.connect()
    await ask(client, subscribeTo('p1', 'flow', 1))
    expect(JSON.parse(await ask(client, subscribeTo('p2', 'flow', 2)))).toMatchObject({
      status: 429,
      errors: [{ code: 'SB_TOO_MANY' }],
    })
  })

  it('is closed with 4008 when it does not take what it is sent, and its neighbours notice nothing', async () => {
    await using slow = await edge.connect()
    await using quick = await edge.connect()
    await ask(slow, subscribeTo('p1', 'flow', 1))
    await ask(quick, subscribeTo('p1', 'flow', 2))
    slow.pause()
    const change = { id: 'x', identifier: 'i'.repeat(256), state: 'active', previous_state: null }
    const payload = encodePayload('flow', change, new Date().toISOString())
    const channel = { accountKey: ACCOUNT, kind: 'person' as const, personKey: 'p1' }
    for (
      let batch = 0;
      (await edge.sample('signalbox_edge_closes_total{reason="slowConsumer"}')) !== 1;
      batch++
    ) {
      if (batch === 100) throw new Error('100 batches of 1,000 changes did not fill the buffers')
      const ids = Array.from({ length: 1_000 }, (_, index) => `${batch}/${index}`)
      await engines.store.channels.append(ids.map((id) => ({ channel, id, payload })))
      for (const _ of ids) await quick.next()
    }
    slow.resume()
    expect((await slow.closed).code).toBe(4008)
    expect(await ask(quick, unsubscribeFrom('p1', 'flow', 3))).toBe(okFrame(3))
  })
})

describe('the end of a socket', () => {
  it('comes with its token, by 4001', async () => {
    // n.b. a token counts as valid for five seconds after its end, because clocks differ; its socket does not.
    await using client = await edge.connect({ personKey: 'p1' }, -1)
    expect(await client.closed).toEqual({ code: 4001, reason: 'token expired' })
  })

  it('is far off when its token lasts longer than a timer can', async () => {
    const warnings: string[] = []
    const note = ({ name }: Error) => warnings.push(name)
    process.on('warning', note)
    await using client = await edge.connect({ personKey: 'p1' }, 40 * 24 * 3_600)
    expect(await ask(client, subscribeTo('p1', 'flow', 1))).toBe(okFrame(1))
    expect(await ask(client, subscribeTo('p1', 'flow', 2))).toBe(okFrame(2))
    process.off('warning', note)
    expect(warnings).not.toContain('TimeoutOverflowWarning')
  })

  it('comes at shutdown by 1001, also for a client that does not answer', async () => {
    await using polite = await edge.connect()
    await using mute = await edge.connect()
    mute.pause()
    await edge[Symbol.asyncDispose]()
    expect(await polite.closed).toEqual({ code: 1001, reason: 'going away' })
    await expect(edge.connect()).rejects.toThrow()
  })

  it('comes when a ping goes unanswered, and not while pings are answered', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] })
    try {
      await using pinging = await startEdge(engines)
      await using alive = await pinging.connect()
      await using dead = await pinging.connect()
      dead.pause()
      for (let id = 1; id <= 3; id++) {
        vi.advanceTimersByTime(25_000)
        // n.b. the pong was sent before this request, so it has arrived when the answer comes.
        expect(await ask(alive, subscribeTo('p1', 'flow', id))).toBe(okFrame(id))
      }
      dead.resume()
      expect((await dead.closed).code).toBe(1006)
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('readiness', () => {
  it('is there when broker, store and relay are, and names what is not', async () => {
    await vi.waitFor(() => expect(edge.readiness.report().ready).toBe(true))
    await engines.broker.close()
    expect(Object.keys(edge.readiness.report().reasons)).toEqual(['rabbitmq', 'relay'])
    expect((await fetch(`http://${edge.origin}/readyz`)).status).toBe(503)
  })
})

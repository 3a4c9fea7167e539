import type { Entity, TokenClaims } from '@signalbox/contracts'
import { createMetrics, silentLog, UnavailableError } from '@signalbox/kit'
import type { Channel } from '@signalbox/store'
import { waitFor } from '@signalbox/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ChannelListener, Hold } from '../src/channel-registry.ts'
import { type ClientSocket, type ClientWriter, createConnection } from '../src/connection.ts'
import type { Frame } from '../src/frame.ts'
import { LiveMessage } from '../src/live-message.ts'
import { createEdgeMetrics } from '../src/metrics.ts'
import { NO_LIMIT, noToken } from './connection-parts.ts'
import { okFrame, subscribeTo, unsubscribeFrom } from './edge-bed.ts'
import { textOf } from './frame-text.ts'

class FakeSocket implements ClientSocket, ClientWriter {
  readonly sent: string[] = []
  readonly ended: [code: number, reason: string][] = []
  /** Whether it has room for one more frame. */
  hasRoom = true
  isPaused = false

  write(frame: Frame): boolean {
    if (this.hasRoom) this.sent.push(textOf(frame))
    return this.hasRoom
  }
  close(code: number, reason: string): void {
    this.ended.push([code, reason])
  }
  readonly isCongested = false
  async drained(): Promise<void> {}
  pause(): void {
    this.isPaused = true
  }
  resume(): void {
    this.isPaused = false
  }
}

/** Holds that a test counts, and may keep waiting. */
class FakeRegistry {
  readonly listeners = new Map<string, Set<ChannelListener>>()
  position = { epoch: 'e', offset: 0, id: '' }
  held = 0
  gate: Promise<void> = Promise.resolve()

  async hold(channel: Channel): Promise<Hold> {
    const personKey = channel.kind === 'person' ? channel.personKey : '*'
    await this.gate
    this.held++
    const listeners = this.listeners.get(personKey) ?? new Set()
    this.listeners.set(personKey, listeners)
    let own: ChannelListener | undefined
    const { position } = this
    return {
      pageSize: 100,
      position,
      open: async () => ({ end: position, messages: [] }),
      decode: () => undefined,
      check: async () => undefined,
      listen(listener) {
        own = listener
        listeners.add(listener)
      },
      release: () => {
        this.held--
        if (own) listeners.delete(own)
      },
    }
  }

  change(personKey: string, entity: Entity, id = 'm'): void {
    this.position = { epoch: 'e', offset: this.position.offset + 1, id }
    const message = new LiveMessage({
      accountKey: CLAIMS.account_key,
      position: this.position,
      content: { kind: 'state_change', entity },
      timestampMs: Date.now(),
      dataJson: `"${entity}"`,
    })
    for (const listener of this.listeners.get(personKey) ?? []) {
      const { filter } = listener
      if (filter.kind === 'state' && filter.entity === entity) listener.onMessage(message)
    }
  }
}

const CLAIMS: TokenClaims = { account_key: 'demo', scope: 'account', exp: 2_000_000_000 }

function openConnection({ maxSubscriptions = 10, frames = NO_LIMIT } = {}) {
  const socket = new FakeSocket()
  const channels = new FakeRegistry()
  const shownEvents: string[] = []
  const tokens = new Map<string, Promise<TokenClaims>>()
  const connection = createConnection(
    { claims: CLAIMS, socket, writer: socket },
    {
      maxSubscriptions,
      frames,
      channels,
      showings: { note: ({ accountKey, eventId }) => shownEvents.push(`${accountKey} ${eventId}`) },
      claimsOf: (token) => tokens.get(token) ?? noToken(),
      log: silentLog,
      metrics: createEdgeMetrics(createMetrics({ withProcessMetrics: false }), new Set()),
    },
  )
  return {
    socket,
    channels,
    connection,
    shownEvents,
    /** By what the client calls them: claims, or why they are not believed. */
    tokens,
    async ask(...requests: object[]) {
      const before = socket.sent.length
      for (const request of requests) connection.receive(JSON.stringify(request))
      await waitFor(() => socket.sent.length === before + requests.length, {
        what: `${requests.length} answers`,
        intervalMs: 0,
      })
      return socket.sent.slice(before)
    },
  }
}

function gated(): { gate: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { gate: promise, open: resolve }
}

describe('a connection', () => {
  it('answers in the order of the requests, also when an early one takes long', async () => {
    const { channels, ask } = openConnection()
    const { gate, open } = gated()
    channels.gate = gate
    const answers = ask(subscribeTo('p1', 'flow', 1), { action: 'dance', request_id: 2 })
    open()
    expect(
      (await answers).map((text) => (JSON.parse(text) as { request_id: number }).request_id),
    ).toEqual([1, 2])
  })

  it('ends unsubscribed when the unsubscription comes before the subscription is live', async () => {
    const { channels, connection, ask } = openConnection()
    const { gate, open } = gated()
    channels.gate = gate
    const answers = ask(subscribeTo('p1', 'flow', 1), unsubscribeFrom('p1', 'flow', 2))
    open()
    expect(await answers).toEqual([okFrame(1), okFrame(2)])
    expect(connection.subscriptionCount).toBe(0)
    expect(channels.held).toBe(0)
  })

  it('holds nothing when it ends while a subscription is being made', async () => {
    const { channels, connection, socket } = openConnection()
    const { gate, open } = gated()
    channels.gate = gate
    connection.receive(JSON.stringify(subscribeTo('p1', 'flow', 1)))
    await Promise.resolve()
    connection.end()
    open()
    await gate
    await waitFor(() => channels.listeners.has('p1') && channels.held === 0, {
      what: 'the hold to be released',
    })
    expect(socket.sent).toEqual([])
  })

  it('answers 503 when the store is away, and subscribes when asked again', async () => {
    const { channels, ask } = openConnection()
    channels.gate = Promise.reject(
      new UnavailableError('Redis cannot be reached', { code: 'SB_STORE_UNAVAILABLE' }),
    )
    expect(await ask(subscribeTo('p1', 'flow', 1))).toEqual([
      '{"request_id":1,"errors":[{"code":"SB_STORE_UNAVAILABLE","message":"Redis cannot be reached"}],"status":503}',
    ])
    channels.gate = Promise.resolve()
    expect(await ask(subscribeTo('p1', 'flow', 2))).toEqual([okFrame(2)])
  })

  it('closes a client that does not take what it is sent, with 4008, and lets go of its channels', async () => {
    const { channels, socket, ask } = openConnection()
    await ask(subscribeTo('p1', 'flow', 1))
    socket.hasRoom = false
    const before = socket.sent.length
    channels.change('p1', 'flow')
    channels.change('p1', 'flow')
    expect(socket.ended).toEqual([[4008, 'slow consumer, resume']])
    expect(socket.sent).toHaveLength(before)
    expect(channels.held).toBe(0)
  })

  it('reads no more from a client that asks faster than it is answered', async () => {
    const { channels, socket, connection } = openConnection()
    const { gate, open } = gated()
    channels.gate = gate
    for (let id = 1; id <= 70; id++) {
      connection.receive(JSON.stringify(subscribeTo('p1', 'flow', id)))
      expect(socket.isPaused).toBe(id >= 64)
    }
    open()
    await waitFor(() => socket.sent.length === 70, { what: '70 answers' })
    expect(socket.isPaused).toBe(false)
  })

  it('sends nothing and says nothing twice after it was closed', async () => {
    const { channels, socket, connection, ask } = openConnection()
    await ask(subscribeTo('p1', 'flow', 1))
    connection.close('goingAway')
    connection.close('tokenExpired')
    connection.receive(JSON.stringify(subscribeTo('p2', 'flow', 2)))
    channels.change('p1', 'flow')
    await waitFor(() => channels.held === 0, { what: 'the channels to be released' })
    expect(socket.ended).toEqual([[1001, 'going away']])
    expect(socket.sent).toEqual([okFrame(1)])
  })

  it('ends subscribed to what a model of sets says, with the request_id of the first subscription', async () => {
    const operation = fc.record({
      isSubscribe: fc.boolean(),
      person: fc.constantFrom('p1', 'p2'),
      entity: fc.constantFrom<Entity>('flow', 'step'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 30 }), async (operations) => {
        const { channels, socket, connection, ask } = openConnection({ maxSubscriptions: 4 })
        const model = new Map<string, number>()
        const requests = operations.map(({ isSubscribe, person, entity }, id) => {
          const key = `${person} ${entity}`
          if (!isSubscribe) model.delete(key)
          else if (!model.has(key)) model.set(key, id)
          return (isSubscribe ? subscribeTo : unsubscribeFrom)(person, entity, id)
        })
        expect(await ask(...requests)).toEqual(operations.map((_, id) => okFrame(id)))

        const before = socket.sent.length
        for (const person of ['p1', 'p2']) {
          for (const entity of ['flow', 'step'] as const) channels.change(person, entity)
        }
        const expected = ['p1 flow', 'p1 step', 'p2 flow', 'p2 step'].flatMap((key) => {
          const id = model.get(key)
          return id === undefined
            ? []
            : [`{"event":"state_change","request_id":${id},"data":"${key.split(' ')[1]}"}`]
        })
        expect(socket.sent.slice(before)).toEqual(expected)
        expect(connection.subscriptionCount).toBe(model.size)
        expect(channels.held).toBe(model.size)
      }),
      { numRuns: 50 },
    )
  })
})

const answersOf = (frames: string[]) =>
  frames.map(
    (text) => JSON.parse(text) as { request_id: unknown; status: number; errors: object[] },
  )

describe('a connection whose client sends faster than it may', () => {
  const RATE = { perSecond: 1, burst: 5 }
  const LIST = { action: 'list', request_id: 1 }

  it('answers 429 under the request_id, and does not do what was asked', async () => {
    const { connection, ask } = openConnection({ frames: RATE })
    await ask(...Array<object>(5).fill(LIST))
    const [answer] = answersOf(await ask(subscribeTo('p1', 'flow', 'late')))
    expect(answer).toEqual({
      request_id: 'late',
      status: 429,
      errors: [{ code: 'SB_TOO_MANY', message: 'requests come faster than they may' }],
    })
    expect(connection.subscriptionCount).toBe(0)
  })

  it('closes with 4003 when that goes on as long as a burst', async () => {
    const { socket, connection, ask } = openConnection({ frames: RATE })
    const answers = answersOf(await ask(...Array<object>(10).fill(LIST)))
    expect(answers.map(({ status }) => status)).toEqual([
      ...Array<number>(5).fill(200),
      ...Array<number>(5).fill(429),
    ])
    connection.receive(JSON.stringify(LIST))
    expect(socket.ended).toEqual([[4003, 'too many requests']])
  })

  it('counts pings as well, which nobody answers with an error', () => {
    const { socket, connection } = openConnection({ frames: RATE })
    for (let count = 0; count < 10; count++) connection.receiveControl()
    expect(socket.ended).toEqual([])
    connection.receiveControl()
    expect(socket.ended).toEqual([[4003, 'too many requests']])
  })
})

describe('a connection whose token is refreshed', () => {
  const refresh = (token: string, requestId: number) => ({
    action: 'refresh_token',
    request_id: requestId,
    data: { token },
  })
  const later = { ...CLAIMS, exp: CLAIMS.exp + 60, jti: 'fresh' }

  it('takes the new one and says when it ends', async () => {
    const { connection, tokens, ask } = openConnection()
    tokens.set('fresh', Promise.resolve(later))
    expect(await ask(refresh('fresh', 7))).toEqual([
      `{"request_id":7,"errors":[],"status":200,"expires_at":"${new Date(later.exp * 1_000).toISOString()}"}`,
    ])
    expect(connection.claims).toEqual(later)
  })

  it.each<[string, Partial<TokenClaims>]>([
    ['another account', { account_key: 'other' }],
    ['a person instead of the account', { scope: undefined, sub: 'p1' }],
    ['a person besides the account', { sub: 'p1' }],
  ])('refuses the token of %s with 403, and keeps the one it has', async (_what, claims) => {
    const { connection, tokens, ask } = openConnection()
    tokens.set('other', Promise.resolve({ ...later, ...claims }))
    expect(answersOf(await ask(refresh('other', 1)))).toMatchObject([
      { status: 403, errors: [{ code: 'SB_FORBIDDEN', path: 'data.token' }] },
    ])
    expect(connection.claims).toEqual(CLAIMS)
  })

  it('answers 401 to one that is not valid, 503 when that cannot be known now', async () => {
    const { connection, tokens, ask } = openConnection()
    const away = Promise.reject(new UnavailableError('the keys cannot be had now'))
    tokens.set('unknowable', away)
    const answers = answersOf(await ask(refresh('nonsense', 1), refresh('unknowable', 2)))
    expect(answers.map(({ status }) => status)).toEqual([401, 503])
    expect(connection.claims).toEqual(CLAIMS)
  })

  it('ends with the last of several that were sent at once', async () => {
    const { connection, tokens, ask } = openConnection()
    const { gate, open } = gated()
    tokens.set(
      'slow',
      gate.then(() => ({ ...later, jti: 'slow' })),
    )
    tokens.set('quick', Promise.resolve({ ...later, jti: 'quick' }))
    const answers = ask(refresh('slow', 1), refresh('quick', 2))
    open()
    expect(answersOf(await answers).map(({ request_id }) => request_id)).toEqual([1, 2])
    expect(connection.claims.jti).toBe('quick')
  })
})

describe('what a connection tells of showings', () => {
  it('is each event once, by however many subscriptions it came, and none that was not sent', async () => {
    const { channels, socket, shownEvents, ask } = openConnection()
    await ask(subscribeTo('p1', 'flow', 1), subscribeTo('p1', 'step', 2))
    channels.change('p1', 'flow', 'a')
    channels.change('p1', 'step', 'a')
    channels.change('p1', 'step', 'b')
    socket.hasRoom = false
    channels.change('p1', 'flow', 'c')
    expect(shownEvents).toEqual(['demo a', 'demo b'])
  })
})

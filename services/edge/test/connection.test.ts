import type { Entity } from '@signalbox/contracts'
import { createMetrics, silentLog, UnavailableError } from '@signalbox/kit'
import type { Channel } from '@signalbox/store'
import { waitFor } from '@signalbox/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ChannelListener, Hold } from '../src/channel-registry.ts'
import { type ClientSocket, createConnection } from '../src/connection.ts'
import type { Frame } from '../src/frame.ts'
import { LiveMessage } from '../src/live-message.ts'
import { createEdgeMetrics } from '../src/metrics.ts'
import { okFrame, subscribeTo, unsubscribeFrom } from './edge-bed.ts'
import { textOf } from './frame-text.ts'

class FakeSocket implements ClientSocket {
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

  change(personKey: string, entity: Entity): void {
    this.position = { epoch: 'e', offset: this.position.offset + 1, id: 'm' }
    const message = new LiveMessage({
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

function openConnection({ maxSubscriptions = 10 } = {}) {
  const socket = new FakeSocket()
  const channels = new FakeRegistry()
  const connection = createConnection(
    { claims: { account_key: 'demo', scope: 'account', exp: 0 }, maxSubscriptions },
    {
      socket,
      channels,
      log: silentLog,
      metrics: createEdgeMetrics(createMetrics({ withProcessMetrics: false }), new Set()),
    },
  )
  return {
    socket,
    channels,
    connection,
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

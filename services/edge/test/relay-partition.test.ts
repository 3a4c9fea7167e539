import {
  type Broker,
  createMemoryBroker,
  createTopology,
  type DeliveryHandler,
} from '@signalbox/broker'
import { createMetrics, InvalidInputError, silentLog, UnavailableError } from '@signalbox/kit'
import type { ChannelEntry } from '@signalbox/store'
import { waitFor } from '@signalbox/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createEdgeMetrics } from '../src/metrics.ts'
import {
  type RelayPartition,
  type RelayPartitionDeps,
  type RelayPartitionOptions,
  startRelayPartition,
} from '../src/relay-partition.ts'
import { publish, stateChange } from './edge-bed.ts'

/** Keeps what is appended; a test decides when that works. */
class FakeLog {
  readonly batches: string[][] = []
  readonly entries: ChannelEntry[] = []
  gate: Promise<void> = Promise.resolve()
  failure: ((entries: readonly ChannelEntry[]) => Error | undefined) | undefined
  failures = 0

  get ids(): string[] {
    return this.batches.flat()
  }

  async append(entries: readonly ChannelEntry[]): Promise<void> {
    await this.gate
    const error = this.failure?.(entries)
    if (error) {
      this.failures++
      throw error
    }
    this.batches.push(entries.map(({ id }) => id))
    this.entries.push(...entries)
  }
}

let broker: Broker
let relay: RelayPartition
let interesting: Set<string>
let orphans: string[]
let channels: FakeLog
let dead: unknown[]
let outcomes: () => Promise<Record<string, number>>

beforeEach(async () => {
  broker = createMemoryBroker({ topology: createTopology(), log: silentLog })
  channels = new FakeLog()
  dead = []
  await broker.consume(broker.topology.queue.dead, {}, async ({ body }) => {
    dead.push(JSON.parse(body.toString()))
    return { kind: 'ack' }
  })
  const metrics = createEdgeMetrics(createMetrics({ withProcessMetrics: false }), new Map())
  outcomes = async () => {
    const { values } = await metrics.relayed.get()
    return Object.fromEntries(values.map(({ labels, value }) => [labels.outcome, value]))
  }
  interesting = new Set()
  orphans = []
  relay = start({ metrics })
})

afterEach(async () => {
  await relay[Symbol.asyncDispose]()
  await broker.close()
})

function start(
  deps: Partial<RelayPartitionDeps> = {},
  options: RelayPartitionOptions = {},
): RelayPartition {
  const own: RelayPartitionDeps = {
    broker,
    channels,
    interest: {
      among: async (accounts) => new Set(accounts.filter((key) => interesting.has(key))),
    },
    log: silentLog,
    metrics: createEdgeMetrics(createMetrics({ withProcessMetrics: false }), new Map()),
    storeUnavailableReason: () => undefined,
    onOrphan: (accountKey) => orphans.push(accountKey),
    ...deps,
  }
  return startRelayPartition(broker.topology.queue.edgeRelay, own, options)
}

const change = (id: string) => ({ ...stateChange('p1', 'flow', id), event_id: id })
const numbered = (count: number) => Array.from({ length: count }, (_, index) => `e${index}`)
const never = () => Promise.reject(new Error('nothing is delivered here'))
const away = () => new UnavailableError('Redis is away', { code: 'SB_STORE_UNAVAILABLE' })
const relayed = (count: number) =>
  waitFor(() => channels.ids.length === count, { what: `${count} changes`, intervalMs: 1 })

describe('a partition of the relay', () => {
  it('appends an only change at once, and what gathers meanwhile in batches of at most 64, in order', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    channels.gate = promise
    const ids = numbered(150)
    await publish(broker, ...ids.map(change))
    resolve()
    await relayed(150)
    expect(channels.ids).toEqual(ids)
    expect(channels.batches.map(({ length }) => length)).toEqual([1, 64, 64, 21])
  })

  it('holds what it has while the store is away, says so, and goes on in order', async () => {
    channels.failure = away
    const ids = numbered(10)
    await publish(broker, ...ids.map(change))
    await waitFor(() => relay.unavailableReason(), { what: 'a reason', intervalMs: 1 })
    expect(relay.unavailableReason()).toContain('Redis is away')
    channels.failure = undefined
    await relayed(10)
    expect(channels.ids).toEqual(ids)
    expect(relay.unavailableReason()).toBeUndefined()
    expect(dead).toEqual([])
  })

  it('gives back what it holds when it is stopped, for the next relay to take in order', async () => {
    channels.failure = away
    const ids = numbered(5)
    await publish(broker, ...ids.map(change))
    await waitFor(() => channels.failures > 0, { what: 'a failed append', intervalMs: 1 })
    await relay[Symbol.asyncDispose]()
    expect(channels.ids).toEqual([])

    channels.failure = undefined
    relay = start()
    await relayed(5)
    expect(channels.ids).toEqual(ids)
  })

  it('stands aside for another when only its own store is away, and consumes again when that is back', async () => {
    await relay[Symbol.asyncDispose]()
    let reason: string | undefined = 'cut off'
    const cutOff = new FakeLog()
    cutOff.failure = () => (reason === undefined ? undefined : away())
    relay = start({ channels: cutOff, storeUnavailableReason: () => reason }, { holdMs: 20 })
    await waitFor(() => relay.isConsuming, { what: 'the first consumer', intervalMs: 1 })
    const other = start()
    await waitFor(() => other.isConsuming, { what: 'the second consumer', intervalMs: 1 })

    const ids = numbered(100)
    await publish(broker, ...ids.map(change))
    await relayed(100)
    expect(channels.ids).toEqual(ids)
    expect(relay.unavailableReason()).toContain('standing aside: Redis is away')
    expect(relay.isConsuming).toBe(false)

    reason = undefined
    await waitFor(() => relay.isConsuming, { what: 'the first to be back', intervalMs: 5 })
    await other[Symbol.asyncDispose]()
    await publish(broker, change('last'))
    await waitFor(() => cutOff.ids.length === 1, { what: 'the last change', intervalMs: 1 })
    expect(cutOff.ids).toEqual(['last'])
    expect(relay.unavailableReason()).toBeUndefined()
    expect(dead).toEqual([])
  })

  it('ends at once while it stands aside', async () => {
    await relay[Symbol.asyncDispose]()
    const cutOff = new FakeLog()
    cutOff.failure = away
    relay = start({ channels: cutOff, storeUnavailableReason: () => 'cut off' }, { holdMs: 0 })
    await publish(broker, change('e0'))
    await waitFor(() => relay.unavailableReason()?.includes('standing aside'), {
      what: 'the relay to stand aside',
      intervalMs: 1,
    })
    await relay[Symbol.asyncDispose]()
    relay = start()
    await relayed(1)
  })

  it('makes a dead letter of the one change that cannot be kept, and keeps the others', async () => {
    channels.failure = (entries) =>
      entries.some(({ id }) => id === 'e3') ? new InvalidInputError('too odd') : undefined
    await publish(broker, ...numbered(6).map(change))
    await relayed(5)
    expect(channels.ids).toEqual(['e0', 'e1', 'e2', 'e4', 'e5'])
    await waitFor(() => dead.length === 1, { what: 'the dead letter', intervalMs: 1 })
    expect(dead[0]).toMatchObject({
      code: 'SB_INVALID_INPUT',
      message: 'the event could not be kept for the edges: too odd',
      event_id: 'e3',
    })
  })

  it('acknowledges and counts what is none of its business, without dead letters of its own', async () => {
    // A queue that was bound to every event once still brings all of them, and anybody may publish what is no event.
    const straight = (body: string) =>
      broker.publish({
        exchange: '',
        routingKey: broker.topology.queue.edgeRelay,
        body: Buffer.from(body),
        properties: { messageId: 'd', type: 'VumiApiEvent' },
      })
    await straight(JSON.stringify({ ...change('a'), event_type: 'poll_complete' }))
    await publish(broker, { ...change('b'), event_data: {} }, change('c'))
    await straight('nonsense')
    await publish(broker, change('e'))
    await relayed(2)
    expect(await outcomes()).toEqual({ append: 2, ignored: 1, misfit: 1, invalid: 1 })
    expect(dead).toEqual([])
  })

  it('leaves to its next delivery what was held when the connection was lost', async () => {
    let deliver: DeliveryHandler = never
    const consumer = await broker.consume(broker.topology.queue.dispatcherEvents, {}, never)
    await using held = start({
      broker: {
        topology: broker.topology,
        async consume(_queue, _options, onDelivery) {
          deliver = onDelivery
          return consumer
        },
      },
    })
    channels.failure = away
    const deliveries = numbered(3).map((id) => ({
      body: Buffer.from(JSON.stringify(change(id))),
      exchange: 'signalbox.events',
      routingKey: 'x.y.z',
      redelivered: false,
      deliveryCount: 0,
      isVoid: false,
      properties: {},
    }))
    const settlements = deliveries.map((delivery) => deliver(delivery))
    await waitFor(() => held.unavailableReason(), { what: 'the relay to hold', intervalMs: 1 })
    for (const delivery of deliveries.slice(0, 2)) delivery.isVoid = true
    channels.failure = undefined
    await Promise.all(settlements)
    expect(channels.ids).toEqual(['e2'])
  })

  const ofAccount = (account: string) =>
    channels.entries
      .filter(({ channel }) => channel.kind === 'account' && channel.accountKey === account)
      .map(({ id }) => id)
  const straight = (event: object, routingKey: string) =>
    broker.publish({
      exchange: broker.topology.exchange.events,
      routingKey,
      body: Buffer.from(JSON.stringify(event)),
      properties: { messageId: 'd', type: 'VumiApiEvent' },
    })

  it("appends to an account's channel as long as there is interest, from the first event after it began", async () => {
    await publish(broker, change('a'))
    await relayed(1)
    interesting.add('demo')
    await publish(broker, change('b'), change('c'))
    await relayed(5)
    expect(ofAccount('demo')).toEqual(['b', 'c'])
    // The first one after it began is in another append, those after it in the same.
    expect(channels.batches).toEqual([['a'], ['b'], ['b'], ['c', 'c']])
    interesting.clear()
    await publish(broker, change('d'))
    await relayed(7)
    await publish(broker, change('e'))
    await relayed(8)
    expect(ofAccount('demo')).toEqual(['b', 'c', 'd'])
  })

  it('tells of an account whose events still come though nobody is interested, and of no other', async () => {
    await broker.bind(broker.topology.accountRoute('demo'))
    const poll = { ...change('p'), event_type: 'poll_complete' }
    await publish(broker, poll, change('c'))
    await relayed(1)
    expect(orphans).toEqual(['demo'])
    interesting.add('demo')
    await publish(broker, { ...poll, event_id: 'q' })
    await relayed(2)
    expect(orphans).toEqual(['demo'])
    expect(ofAccount('demo')).toEqual(['q'])
  })

  it('keeps what belongs to an account in its channel, whatever the routing key says', async () => {
    await broker.bind(broker.topology.accountRoute('demo'))
    interesting.add('demo').add('acme')
    await straight({ ...change('x'), account_key: 'acme' }, 'poll.poll_complete.demo')
    await waitFor(() => ofAccount('acme').length === 1, { what: 'the event', intervalMs: 1 })
    expect(ofAccount('demo')).toEqual([])
  })

  it('gives back what it holds when it steps back, in order, and goes on behind who waits', async () => {
    const other = new FakeLog()
    await waitFor(() => relay.isConsuming, { what: 'the first', intervalMs: 1 })
    await using waiting = start({ channels: other })
    await waitFor(() => waiting.isConsuming, { what: 'the second', intervalMs: 1 })
    channels.failure = away
    const ids = numbered(300)
    await publish(broker, ...ids.map(change))
    await waitFor(() => channels.failures > 0, { what: 'a failed append', intervalMs: 1 })
    await relay.stepBack()
    await waitFor(() => other.ids.length === 300, { what: 'all at the other', intervalMs: 1 })
    expect(other.ids).toEqual(ids)
    expect(channels.ids).toEqual([])
    channels.failure = undefined
    await waitFor(() => relay.unavailableReason() === undefined, { what: 'it to wait again' })
    await waiting.stepBack()
    await publish(broker, change('last'))
    await relayed(1)
    expect(channels.ids).toEqual(['last'])
  })

  it('appends nothing any more once it stepped back, and another has it after what was appended', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    channels.gate = promise
    const other = new FakeLog()
    await waitFor(() => relay.isConsuming, { what: 'the first', intervalMs: 1 })
    await using waiting = start({ channels: other })
    await waitFor(() => waiting.isConsuming, { what: 'the second', intervalMs: 1 })
    const ids = numbered(100)
    await publish(broker, ...ids.map(change))
    const steppedBack = relay.stepBack()
    expect(other.ids).toEqual([])
    resolve()
    await steppedBack
    await waitFor(() => channels.ids.length + other.ids.length === 100, {
      what: 'all',
      intervalMs: 1,
    })
    expect([...channels.ids, ...other.ids]).toEqual(ids)
    expect(channels.batches).toHaveLength(1)
  })

  it('is not ready until it consumes', async () => {
    await waitFor(() => relay.unavailableReason() === undefined, { what: 'readiness' })
    await relay[Symbol.asyncDispose]()
    expect(relay.unavailableReason()).toBe('signalbox.edge.relay: closed')
  })
})

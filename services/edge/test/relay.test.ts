import {
  type Broker,
  createMemoryBroker,
  createTopology,
  RELAY_SLOTS,
  relaySlotOf,
  slotsOf,
} from '@signalbox/broker'
import { completeEvent } from '@signalbox/contracts'
import { createMetrics, silentLog, UnavailableError } from '@signalbox/kit'
import { type ChannelEntry, createMemoryStore, type Store } from '@signalbox/store'
import { waitFor } from '@signalbox/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createEdgeMetrics } from '../src/metrics.ts'
import { type Relay, type RelayDeps, type RelayOptions, startRelay } from '../src/relay.ts'
import { publish, stateChange } from './edge-bed.ts'

let broker: Broker
let store: Store
/** What each relay appended, in order. */
let appended: Record<string, ChannelEntry[]>

beforeEach(() => {
  broker = createMemoryBroker({ topology: createTopology(), log: silentLog })
  store = createMemoryStore()
  appended = {}
})
afterEach(async () => {
  await broker.close()
  await store.close()
})

function start(
  relayId: string,
  partitions: number,
  deps: Partial<RelayDeps> = {},
  options: Partial<RelayOptions> = {},
): Relay {
  const own: ChannelEntry[] = []
  appended[relayId] = own
  return startRelay(
    { relayId, partitions, rosterIntervalMs: 20, layoutIntervalMs: 20, ...options },
    {
      broker,
      channels: { append: async (entries) => void own.push(...entries) },
      interest: store.interest,
      relays: store.relays,
      log: silentLog,
      metrics: createEdgeMetrics(createMetrics({ withProcessMetrics: false }), new Map()),
      storeUnavailableReason: () => undefined,
      onOrphan: () => undefined,
      ...deps,
    },
  )
}

const ready = (relay: Relay) =>
  waitFor(() => relay.unavailableReason() === undefined, { what: 'the relay', intervalMs: 1 })

/** A person for each slot. */
const persons = Array.from({ length: RELAY_SLOTS }, (_, slot) => {
  for (let number = 0; ; number++) {
    const event = completeEvent(stateChange(`p${number}`, 'flow', 'f'))
    if (relaySlotOf(event) === slot) return `p${number}`
  }
})

let rounds = 0
/** A change of each of them; returns their ids, by slot. */
async function publishRound(): Promise<string[]> {
  rounds++
  const events = persons.map((person, slot) => ({
    ...stateChange(person, 'flow', 'f'),
    event_id: `r${rounds}-${slot}`,
  }))
  await publish(broker, ...events)
  return events.map(({ event_id }) => event_id)
}

const idsOf = (relayId: string) => appended[relayId]!.map(({ id }) => id)
const waiting = (partitions: number) =>
  Promise.all(
    Array.from({ length: partitions }, (_, index) =>
      broker.messagesIn(broker.topology.relayQueue(index).name),
    ),
  )

describe('the layout of the relay', () => {
  it('gives each slot to its partition, whatever it was before, and loses and doubles nothing', async () => {
    const all: string[] = []
    let last = 0
    for (const partitions of [1, 4, 16, 3, 2, 1]) {
      const relayId = `with-${partitions}-of-${last}`
      const relay = start(relayId, partitions)
      await ready(relay)
      all.push(...(await publishRound()))
      const relayed = () => Object.keys(appended).flatMap(idsOf)
      await waitFor(() => relayed().length === all.length, { what: 'every change', intervalMs: 1 })
      expect(relayed().toSorted()).toEqual(all.toSorted())
      await relay[Symbol.asyncDispose]()

      all.push(...(await publishRound()))
      const shares = Array.from({ length: 16 }, (_, index) =>
        index < partitions ? slotsOf(index, partitions).length : 0,
      )
      const counts = await waiting(16)
      expect(counts.map((count) => count ?? 0)).toEqual(shares)
      last = partitions
    }
  })

  it('is made again after another edge made another', async () => {
    await using one = start('one', 4)
    await ready(one)
    await broker.bind(broker.topology.slotRoute(2, 1))
    await broker.unbind(broker.topology.slotRoute(1, 1))
    await waitFor(
      async () => {
        const ids = await publishRound()
        const of = (slot: number) => idsOf('one').filter((id) => id === ids[slot]).length
        await waitFor(() => ids.every((_, slot) => of(slot) > 0), { what: 'a round' })
        return of(2) === 1
      },
      { what: 'the layout' },
    )
  })

  it('is said to be missing until the broker took it', async () => {
    let isAway = true
    await using relay = start('late', 2, {
      broker: {
        ...broker,
        async bind(route) {
          if (isAway) {
            throw new UnavailableError('RabbitMQ is away', { code: 'SB_BROKER_UNAVAILABLE' })
          }
          return broker.bind(route)
        },
      },
    })
    await waitFor(() => relay.unavailableReason()?.includes('RabbitMQ is away'), {
      what: 'the reason',
      intervalMs: 1,
    })
    isAway = false
    await ready(relay)
  })
})

describe('several relays', () => {
  /** Publishes until each has what is its share. */
  const shared = (shares: Readonly<Record<string, readonly number[]>>, partitions: number) =>
    waitFor(
      async () => {
        const ids = await publishRound()
        const relayed = () => Object.keys(appended).flatMap(idsOf)
        await waitFor(() => ids.every((id) => relayed().includes(id)), { what: 'a round' })
        return Object.entries(shares).every(([relayId, own]) => {
          const slots = ids.flatMap((id, slot) => (idsOf(relayId).includes(id) ? [slot] : []))
          const expected = own.flatMap((partition) => slotsOf(partition, partitions))
          return slots.join() === expected.toSorted((a, b) => a - b).join()
        })
      },
      { what: `the shares ${JSON.stringify(shares)}` },
    )

  it('share the partitions evenly, whoever came first, and take over when one ends', async () => {
    const alone = start('b', 4)
    await ready(alone)
    await shared({ b: [0, 1, 2, 3] }, 4)
    await waitFor(() => alone.isLeader(), { what: 'the leader', intervalMs: 1 })

    await using first = start('a', 4)
    await ready(first)
    await shared({ b: [0, 2], a: [1, 3] }, 4)
    expect([first.isLeader(), alone.isLeader()]).toEqual([false, true])

    const third = start('c', 4)
    await ready(third)
    await shared({ b: [0, 3], a: [1], c: [2] }, 4)

    await third[Symbol.asyncDispose]()
    await alone[Symbol.asyncDispose]()
    await shared({ a: [0, 1, 2, 3] }, 4)
  })

  it('keep the order of each person while they change hands', async () => {
    await using _a = start('a', 4)
    await ready(_a)
    const sent: string[] = []
    const order: string[] = []
    const channels = {
      append: async (entries: readonly ChannelEntry[]) =>
        void order.push(...entries.map(({ id }) => id)),
    }
    await using _c = start('c', 4, { channels })
    await using _b = start('b', 4, { channels })
    for (let round = 0; round < 20; round++) sent.push(...(await publishRound()))
    const all = () => [...idsOf('a'), ...order]
    await waitFor(() => new Set(all()).size === sent.length, { what: 'all changes' })
    // b and c append to the same log, as two edges do: what is there is in order for each person.
    for (let slot = 0; slot < RELAY_SLOTS; slot++) {
      const numbers = order
        .filter((id) => id.endsWith(`-${slot}`))
        .map((id) => Number(id.slice(1, id.indexOf('-'))))
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
    }
  })

  it('go on as they are while the store cannot be reached', async () => {
    const away = async () => {
      throw new UnavailableError('Redis is away', { code: 'SB_STORE_UNAVAILABLE' })
    }
    await using relay = start('a', 2, { relays: { announce: away, leave: away } })
    await ready(relay)
    await shared({ a: [0, 1] }, 2)
    expect(relay.isLeader()).toBe(false)
  })
})

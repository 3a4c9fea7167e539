/**
 * The relay: events from the events exchange into the channels of the persons and accounts they are about.
 *
 * It is split into partitions, each a queue that one edge at a time consumes. Every edge registers with every partition, so that another takes
 * over at once when one dies. The queue's consumer is who registered first: left alone, the edge that started first would have them all. So the edges tell
 * each other through the store that they run, each partition has a *preferred* edge, and when the edges change, whoever is not preferred steps
 * back behind those who wait. That needs nothing of the broker that 3.10 does not have, and no more than a roster of the store.
 *
 * Which slots go to which partition is laid out by every edge, again and again, as there may have been one with another number of
 * partitions. A slot is unbound from where it was before it is bound to where it shall be: in between it goes to partition 0.
 */
import { type Broker, RELAY_SLOTS, slotsOf } from '@signalbox/broker'
import { backoffDelayMs, delay } from '@signalbox/kit'
import type { RelayRoster } from '@signalbox/store'
import {
  type RelayPartition,
  type RelayPartitionDeps,
  startRelayPartition,
} from './relay-partition.ts'

const DEFAULT_ROSTER_INTERVAL_MS = 5_000

/** An edge that was not heard of for so many intervals is gone. */
const ROSTER_INTERVALS = 3

const DEFAULT_LAYOUT_INTERVAL_MS = 30_000

export interface RelayOptions {
  /** Unlike that of any other edge. */
  relayId: string
  /** 1 to 16; the same at every edge. */
  partitions: number
  /** Between two looks at which edges run; default 5,000. */
  rosterIntervalMs?: number
  /** Between two layouts of the slots; default 30,000. */
  layoutIntervalMs?: number
}

export interface RelayDeps extends RelayPartitionDeps {
  broker: Pick<Broker, 'topology' | 'consume' | 'declare' | 'bind' | 'unbind' | 'messagesIn'>
  relays: RelayRoster
}

/** Disposing it: no more deliveries, the appends under way end, what is held then goes back to the queues. */
export interface Relay extends AsyncDisposable {
  /** Why it is not relaying, or undefined. For readiness. */
  unavailableReason(): string | undefined
  /** Whether this is the one edge that does what one is enough for. Now and then none is, or two are. */
  isLeader(): boolean
}

/** Consumes as soon as the broker can be reached. */
export function startRelay(options: RelayOptions, deps: RelayDeps): Relay {
  const { relayId, partitions: partitionCount } = options
  const { rosterIntervalMs = DEFAULT_ROSTER_INTERVAL_MS } = options
  const { layoutIntervalMs = DEFAULT_LAYOUT_INTERVAL_MS } = options
  const { broker, relays, log } = deps
  const { topology } = broker
  const closing = new AbortController()
  /** By number. Those beyond the configured ones are of an earlier layout: nothing is bound to them, and what they hold is relayed. */
  const partitions: RelayPartition[] = []
  let members: readonly string[] = []
  let isFound = false
  let layoutFault: string | undefined = 'the partitions are not laid out yet'

  start(0)
  void every(layoutIntervalMs, layOut, () => layoutFault === undefined)
  const sharing = every(rosterIntervalMs, shareOut, () => members.length > 0)

  function start(partition: number): void {
    partitions[partition] ??= startRelayPartition(topology.relayQueue(partition).name, deps)
  }

  /** Never rejects; sooner again while it is not `isDone`. */
  async function every(
    intervalMs: number,
    task: () => Promise<void>,
    isDone: () => boolean,
  ): Promise<void> {
    for (let attempt = 1; !closing.signal.aborted; ) {
      await task()
      attempt = isDone() ? 1 : attempt + 1
      const pauseMs = isDone() ? intervalMs : Math.min(intervalMs, backoffDelayMs(attempt))
      await delay(pauseMs, closing.signal)
    }
  }

  async function layOut(): Promise<void> {
    try {
      if (!isFound) await findPartitions()
      isFound = true
      for (let partition = 1; partition < partitions.length; partition++) {
        const own = slotsOf(partition, partitionCount)
        for (let slot = 0; slot < RELAY_SLOTS; slot++) {
          const isOwn = partition < partitionCount && own.includes(slot)
          if (!isOwn) await broker.unbind(topology.slotRoute(slot, partition))
        }
      }
      for (let partition = 1; partition < partitionCount; partition++) {
        for (const slot of slotsOf(partition, partitionCount)) {
          await broker.bind(topology.slotRoute(slot, partition))
        }
      }
      layoutFault = undefined
    } catch (error) {
      log.debug({ err: error }, 'relay.layout_failed')
      if (layoutFault !== undefined) layoutFault = (error as Error).message
    }
  }

  /** n.b. asking for a queue that is not there is an error in the broker's log: asked once, and up to the first that is missing. */
  async function findPartitions(): Promise<void> {
    for (let partition = 1; partition < RELAY_SLOTS; partition++) {
      const queue = topology.relayQueue(partition)
      const isWanted = partition < partitionCount
      if (!isWanted && (await broker.messagesIn(queue.name)) === undefined) return
      await broker.declare(queue)
      if (closing.signal.aborted) return
      start(partition)
    }
  }

  /** n.b. says that it runs only when it waits for every queue: who gives a partition up to it must not give it to somebody else. */
  async function shareOut(): Promise<void> {
    if (layoutFault !== undefined || !partitions.every(({ isConsuming }) => isConsuming)) return
    try {
      const present = await relays.announce(relayId, rosterIntervalMs * ROSTER_INTERVALS)
      if (closing.signal.aborted || present.join(' ') === members.join(' ')) return
      members = present
    } catch (error) {
      log.debug({ err: error }, 'relay.roster_failed')
      return
    }
    const given = partitions.filter((_, partition) => preferredFor(partition) !== relayId)
    log.info({ relays: members.length, given: given.length }, 'relay.shared_out')
    await Promise.all(given.map((partition) => partition.stepBack()))
  }

  function preferredFor(partition: number): string | undefined {
    return members[partition % members.length]
  }

  async function close(): Promise<void> {
    closing.abort()
    await Promise.all(partitions.map((partition) => partition[Symbol.asyncDispose]()))
    await sharing
    await relays.leave(relayId).catch((error: unknown) => {
      log.debug({ err: error }, 'relay.leave_failed')
    })
  }

  let closed: Promise<void> | undefined
  return {
    unavailableReason() {
      const reasons = partitions.map((partition) => partition.unavailableReason())
      return reasons.find((reason) => reason !== undefined) ?? layoutFault
    },
    isLeader: () => preferredFor(0) === relayId,
    [Symbol.asyncDispose]() {
      closed ??= close()
      return closed
    },
  }
}

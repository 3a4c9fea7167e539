/**
 * Items on their way in messages as full as the moment allows.
 *
 * A *lane* is one place that items go to. Its items gather while earlier messages of it are unconfirmed and leave, as one message, at the
 * next turn of the event loop otherwise: under load messages are full, idle nothing waits. Lanes know nothing of each other, so a place
 * that does not confirm holds up its own items only. Whoever sends keeps what is unconfirmed bounded (by its prefetch).
 */
import { LIMITS } from '@signalbox/contracts'
import { Fifo } from './fifo.ts'
import type { PublishOutcome } from './port.ts'

/** Unconfirmed messages of a lane while its items gather. */
const MAX_UNCONFIRMED = 4
/** The same where messages hold one item each, and nothing is gained by gathering. */
const MAX_UNCONFIRMED_SINGLES = 64

export interface Batch<Item> {
  items: readonly [Item, ...Item[]]
  /** The items as a JSON array: each was encoded once. */
  json: string
}

export interface OutboxOptions {
  /** Items in one message of the lane, 1 to 64; asked whenever one is made. Default 64. */
  batchSizeOf?: (lane: string) => number
}

export interface OutboxDeps<Item> {
  /** Resolves after the confirm. */
  publish(lane: string, batch: Batch<Item>): Promise<PublishOutcome>
}

export interface Outbox<Item> {
  /** Settles as the publish of its message does. An item that is too large for a message of several goes alone. */
  send(lane: string, item: Item): Promise<PublishOutcome>
  /** Waits no longer for what is unconfirmed on a lane: what has gathered there leaves. */
  release(lane: string): void
}

interface Waiting<Item> {
  item: Item
  json: string
  bytes: number
  resolve(outcome: PublishOutcome): void
  reject(error: unknown): void
}

interface Lane<Item> {
  name: string
  waiting: Fifo<Waiting<Item>>
  unconfirmed: number
}

export function createOutbox<Item>(
  { batchSizeOf = () => LIMITS.maxBatchItems }: OutboxOptions,
  deps: OutboxDeps<Item>,
): Outbox<Item> {
  const lanes = new Map<string, Lane<Item>>()

  return {
    send(laneName, item) {
      const { promise, resolve, reject } = Promise.withResolvers<PublishOutcome>()
      const json = JSON.stringify(item)
      const lane = laneOf(laneName)
      lane.waiting.push({ item, json, bytes: Buffer.byteLength(json), resolve, reject })
      if (lane.waiting.size === 1) setImmediate(flush, lane)
      return promise
    },

    release(laneName) {
      const stuck = lanes.get(laneName)
      if (!stuck) return
      lanes.delete(laneName)
      const lane = laneOf(laneName)
      lane.waiting = stuck.waiting
      stuck.waiting = new Fifo()
      flush(lane)
    },
  }

  function laneOf(name: string): Lane<Item> {
    let lane = lanes.get(name)
    if (!lane) {
      lane = { name, waiting: new Fifo(), unconfirmed: 0 }
      lanes.set(name, lane)
    }
    return lane
  }

  function flush(lane: Lane<Item>): void {
    const size = batchSizeOf(lane.name)
    const room = size === 1 ? MAX_UNCONFIRMED_SINGLES : MAX_UNCONFIRMED
    while (lane.unconfirmed < room && lane.waiting.size > 0) {
      lane.unconfirmed += 1
      void publish(lane.name, take(lane.waiting, size)).then(() => {
        lane.unconfirmed -= 1
        flush(lane)
      })
    }
    if (lane.unconfirmed === 0 && lanes.get(lane.name) === lane) lanes.delete(lane.name)
  }

  /** Settles every one of the batch; never rejects. */
  async function publish(laneName: string, batch: readonly Waiting<Item>[]): Promise<void> {
    try {
      const outcome = await deps.publish(laneName, {
        items: batch.map(({ item }) => item) as [Item, ...Item[]],
        json: `[${batch.map(({ json }) => json).join(',')}]`,
      })
      for (const { resolve } of batch) resolve(outcome)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}

/** The first items that make one message: at most `size`, within the bounds of a batch, and at least one. */
function take<Item>(waiting: Fifo<Waiting<Item>>, size: number): Waiting<Item>[] {
  const batch: Waiting<Item>[] = []
  let bytes = '[]'.length
  for (let next = waiting.peek(); next && batch.length < size; next = waiting.peek()) {
    bytes += next.bytes + ','.length
    if (bytes > LIMITS.maxBatchBytes && batch.length > 0) break
    batch.push(next)
    waiting.shift()
  }
  return batch
}

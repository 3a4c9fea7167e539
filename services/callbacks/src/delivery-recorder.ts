/**
 * Records of attempts on their way to the store, in batches. They never hold up a delivery: while the store is away they gather up to a bound, and what
 * is beyond it is dropped and counted.
 */

import type { Delivery } from '@signalbox/contracts'
import { backoffDelayMs, delay, type Log } from '@signalbox/kit'
import type { DeliveryStore } from '@signalbox/store'

const MAX_WAITING = 20_000
const MAX_BATCH = 256
/** From the first record of a batch to its write. */
const GATHER_MS = 50
const CLOSE_TIMEOUT_MS = 5_000
const BACKOFF = { initialDelayMs: 250, maxDelayMs: 5_000 }

export interface AccountDelivery {
  accountKey: string
  delivery: Delivery
}

export interface ListenerName {
  accountKey: string
  listenerId: string
}

export interface DeliveryRecorder extends AsyncDisposable {
  /** At once; never throws. */
  add(record: AccountDelivery): void
  readonly waiting: number
}

export interface DeliveryRecorderDeps {
  deliveries: Pick<DeliveryStore, 'record'>
  /** Told of those that a batch kept failures of, each once. */
  onFailures(listeners: readonly ListenerName[]): void
  onDropped(count: number): void
  log: Log
}

/** Disposing it writes what it has, for five seconds at most. */
export function createDeliveryRecorder(deps: DeliveryRecorderDeps): DeliveryRecorder {
  const { deliveries, onFailures, onDropped, log } = deps
  let records: AccountDelivery[] = []
  let writing: Promise<void> | undefined
  const closing = new AbortController()

  /** Until nothing waits, or closing took too long. */
  async function write(): Promise<void> {
    await delay(GATHER_MS, closing.signal)
    for (let failures = 0; records.length > 0; ) {
      const batch = records.slice(0, MAX_BATCH)
      try {
        const byAccount = Map.groupBy(batch, ({ accountKey }) => accountKey)
        await Promise.all(
          [...byAccount].map(([accountKey, of]) =>
            deliveries.record(
              accountKey,
              of.map(({ delivery }) => delivery),
            ),
          ),
        )
        records = records.slice(batch.length)
        failures = 0
        onFailures(failedIn(batch))
      } catch (error) {
        failures += 1
        if (failures === 1)
          log.warn({ err: error, waiting: records.length }, 'deliveries.unrecorded')
        if (closing.signal.aborted) return
        await delay(backoffDelayMs(failures, BACKOFF), closing.signal)
      }
    }
  }

  function begin(): void {
    writing ??= write().finally(() => {
      writing = undefined
      if (records.length > 0 && !closing.signal.aborted) begin()
    })
  }

  return {
    add(record) {
      if (records.length >= MAX_WAITING) return onDropped(1)
      records.push(record)
      begin()
    },
    get waiting() {
      return records.length
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      const written = new AbortController()
      const last = writing?.finally(() => written.abort())
      if (last) await Promise.race([last, delay(CLOSE_TIMEOUT_MS, written.signal)])
      if (records.length > 0) onDropped(records.length)
    },
  }
}

function failedIn(batch: readonly AccountDelivery[]): ListenerName[] {
  const failed = batch.filter(({ delivery }) => delivery.outcome !== 'delivered')
  const byName = failed.map(({ accountKey, delivery: { listener_id: listenerId } }) => {
    // n.b. neither holds a space.
    return [`${accountKey} ${listenerId}`, { accountKey, listenerId }] as const
  })
  return [...new Map(byName).values()]
}

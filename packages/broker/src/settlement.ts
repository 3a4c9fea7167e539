/**
 * From what a handler answers to what the engine does with the delivery; the one place where that is decided.
 *
 * | the handler                | verdict                                                            |
 * | -------------------------- | ------------------------------------------------------------------ |
 * | resolves to `ack`          | `ack`                                                              |
 * | resolves to `requeue`      | `requeue`                                                          |
 * | resolves to `dead_letter`  | `ack` once the dead letter is confirmed, trying again until it is  |
 * | the same, but the letter cannot be published as it is (too large) | `reject`: the queue's own dead-lettering takes it |
 * | rejects                    | `requeue` after one second, logged as `delivery.failed` (what is only unavailable: at debug level, the outage is told where it is noticed) |
 */
import type { DeadLetter } from '@signalbox/contracts'
import { backoffDelayMs, delay, isRetryable, type Log } from '@signalbox/kit'
import { deadLetterOf } from './dead-letter.ts'
import type { DeadLetterReason, Delivery, DeliveryHandler } from './port.ts'

/** `reject`: given back to the broker for its dead-letter exchange. */
export type Verdict = 'ack' | 'requeue' | 'reject'

export interface SettlementDeps {
  queue: string
  log: Log
  publisher: { deadLetter(letter: DeadLetter): Promise<void> }
  /** Aborted when waiting has no more sense: the AMQP channel is lost, or the consumer is closing. */
  signal: AbortSignal
}

const FAILED_DELIVERY_PAUSE_MS = 1_000

/** Never rejects. */
export async function verdictOn(
  delivery: Delivery,
  onDelivery: DeliveryHandler,
  deps: SettlementDeps,
): Promise<Verdict> {
  try {
    const settlement = await onDelivery(delivery)
    if (settlement.kind !== 'dead_letter') return settlement.kind
    return await deadLettered(delivery, settlement.reason, deps)
  } catch (error) {
    const { messageId } = delivery.properties
    const level = isRetryable(error) ? 'debug' : 'error'
    deps.log[level]({ queue: deps.queue, messageId, err: error }, 'delivery.failed')
    await delay(FAILED_DELIVERY_PAUSE_MS, deps.signal)
    return 'requeue'
  }
}

async function deadLettered(
  delivery: Delivery,
  reason: DeadLetterReason,
  { queue, log, publisher, signal }: SettlementDeps,
): Promise<Verdict> {
  const letter = deadLetterOf(delivery, reason)
  for (let attempt = 1; ; attempt += 1) {
    try {
      await publisher.deadLetter(letter)
      return 'ack'
    } catch (error) {
      if (attempt === 1) {
        log.warn({ queue, code: reason.code, err: error }, 'dead_letter.publish_failed')
      }
      if (!isRetryable(error)) return 'reject'
      if (signal.aborted) return 'requeue'
      await delay(backoffDelayMs(attempt), signal)
    }
  }
}

/**
 * Outages: what happens to work in hand while the store or the broker is away.
 *
 * Work that fails because something cannot be reached is held and tried again, with the consumers paused, until it succeeds or the
 * process stops. It is not given back to the queue: each return counts towards the queue's delivery limit, and an outage of
 * minutes would make dead letters of sound events.
 */
import type { Consumer } from '@signalbox/broker'
import { backoffDelayMs, delay, isRetryable, type Log } from '@signalbox/kit'

export interface Outages {
  /**
   * Runs `work`, told how often it was run (from 1), until it does not fail for want of something; rejects with any other error, when its delivery is void (it comes
   * again anyway), and after `close`.
   */
  outlast<Value>(work: (pass: number) => Promise<Value>, isVoid: () => boolean): Promise<Value>
  /** Has a consumer paused while something is away. */
  pauses(consumer: Pick<Consumer, 'pause' | 'resume'>): void
  /** What is away now, or undefined. For readiness. */
  reason(): string | undefined
  /** Lets what waits fail at once, and what fails later. */
  close(): void
}

export function createOutages(log: Log): Outages {
  const consumers: Pick<Consumer, 'pause' | 'resume'>[] = []
  const closing = new AbortController()
  /** Works that failed and have not succeeded since. */
  let waiting = 0
  let away: string | undefined
  let beganAtMs = 0

  async function outlast<Value>(
    work: (pass: number) => Promise<Value>,
    isVoid: () => boolean,
  ): Promise<Value> {
    let isWaiting = false
    try {
      for (let pass = 1; ; pass++) {
        try {
          return await work(pass)
        } catch (error) {
          if (!isRetryable(error) || closing.signal.aborted || isVoid()) throw error
          if (!isWaiting) await enter((error as Error).message)
          isWaiting = true
          await delay(backoffDelayMs(pass, { maxDelayMs: 1_000 }), closing.signal)
        }
      }
    } finally {
      if (isWaiting) await leave()
    }
  }

  async function enter(message: string): Promise<void> {
    waiting++
    if (waiting > 1) return
    away = message
    beganAtMs = Date.now()
    log.warn({ reason: away }, 'dispatch.waiting')
    await Promise.all(consumers.map((consumer) => consumer.pause().catch(ignore)))
  }

  async function leave(): Promise<void> {
    waiting--
    if (waiting > 0) return
    away = undefined
    log.info({ durationMs: Date.now() - beganAtMs }, 'dispatch.resumed')
    if (closing.signal.aborted) return
    await Promise.all(consumers.map((consumer) => consumer.resume().catch(ignore)))
  }

  /** Pausing and resuming fail when the broker is away; its own recovery then brings the consumer back in the wanted state. */
  function ignore(error: unknown): void {
    log.debug({ err: error }, 'consumer.switch_failed')
  }

  return {
    outlast,
    pauses: (consumer) => void consumers.push(consumer),
    reason: () => (away === undefined ? undefined : `waiting: ${away}`),
    close: () => closing.abort(),
  }
}

/**
 * Waiting for what is away: RabbitMQ and Redis restart, and work in hand should outlast that instead of failing.
 */
import { backoffDelayMs, delay, UnavailableError } from '@signalbox/kit'

export interface Patience {
  /** From the first try; a try that is under way is not cut short. Milliseconds. */
  patienceMs: number
  /** Ends the waiting at once. */
  signal?: AbortSignal
}

/** Tries again, with backoff, while `UnavailableError` is what comes; in the end throws the last one. Other errors pass. */
export async function whileUnavailable<Value>(
  attempt: () => Promise<Value>,
  { patienceMs, signal }: Patience,
): Promise<Value> {
  const deadlineMs = performance.now() + patienceMs
  for (let count = 1; ; count += 1) {
    try {
      return await attempt()
    } catch (error) {
      const leftMs = deadlineMs - performance.now()
      if (!(error instanceof UnavailableError) || signal?.aborted || leftMs <= 0) throw error
      await delay(Math.min(backoffDelayMs(count), leftMs), signal)
      if (signal?.aborted) throw error
    }
  }
}

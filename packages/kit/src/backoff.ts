/** Waiting between tries: exponential with full jitter, capped. */

export interface BackoffOptions {
  /** Default 100 ms. */
  initialDelayMs?: number
  /** Default 2,000 ms: what comes back is noticed within this. */
  maxDelayMs?: number
}

/** The delay before try `attempt` (from 1): uniformly random in the upper half of the exponential step. */
export function backoffDelayMs(attempt: number, options: BackoffOptions = {}): number {
  const { initialDelayMs = 100, maxDelayMs = 2_000 } = options
  const step = Math.min(maxDelayMs, initialDelayMs * 2 ** Math.min(attempt - 1, 30))
  return Math.round(step / 2 + Math.random() * (step / 2))
}

/** Resolves after the delay, or at once when `signal` aborts. */
export function delay(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const timer = setTimeout(done, delayMs)
    signal?.addEventListener('abort', done, { once: true })
    function done() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
  })
}

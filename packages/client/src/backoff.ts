/** Waiting between tries: exponential, capped, and never for exactly as long as others do. */

export interface Backoff {
  /** The first step; default 1,000 ms. */
  initialMs: number
  /** The longest step; default 30,000 ms. */
  maxMs: number
}

/** Before try `failures` (from 1): uniformly random in the upper half of the exponential step. */
export function backoffMs(failures: number, { initialMs, maxMs }: Backoff): number {
  const step = Math.min(maxMs, initialMs * 2 ** Math.min(failures - 1, 30))
  return step / 2 + Math.random() * (step / 2)
}

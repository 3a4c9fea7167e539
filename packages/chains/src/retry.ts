/**
 * How long to wait before a step that failed is tried again.
 *
 * | policy                | after attempt 1, 2, 3, …                                             | why                          |
 * | --------------------- | -------------------------------------------------------------------- | ---------------------------- |
 * | `schedule: 'fast'`    | 1 s, 5 s, 30 s, 1 min, 5 min, 5 min, …                               | what is back in a moment     |
 * | `schedule: 'webhook'` | 5 s, 30 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h, 24 h, …  | somebody else's server, over a weekend |
 * | none                  | 1 s, 2 s, 4 s, … 1 h (`initial_delay_ms`, `factor`, `max_delay_ms`)  | nothing is known             |
 *
 * The figures are the longest delays: what is waited is random in the upper half of each, so that what failed together does not come back
 * together. A handler that says when to come back is not asked before (at most a day). The sum is rounded up to a delay that
 * the broker has a queue for (`RETRY_DELAYS_MS`, each at most 4/3 of the one before), so
 *
 *     max(step / 2, retry after) <= delay <= 4/3 * max(step, retry after), and 1 s <= delay <= 24 h
 */
import { type RetryPolicy, retryDelayAtLeast } from '@signalbox/contracts'

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DEFAULT_MAX_ATTEMPTS = 3

const SCHEDULES = {
  fast: [SECOND_MS, 5 * SECOND_MS, 30 * SECOND_MS, MINUTE_MS, 5 * MINUTE_MS],
  webhook: [
    5 * SECOND_MS,
    30 * SECOND_MS,
    5 * MINUTE_MS,
    30 * MINUTE_MS,
    ...[2, 5, 10, 14, 20, 24].map((hours) => hours * HOUR_MS),
  ],
} as const satisfies Record<NonNullable<RetryPolicy['schedule']>, readonly number[]>

/** Whether there is an attempt after `attempt` (from 1). */
export function hasAttemptAfter(attempt: number, policy: RetryPolicy = {}): boolean {
  return attempt < (policy.max_attempts ?? DEFAULT_MAX_ATTEMPTS)
}

/** The delay, one of `RETRY_DELAYS_MS`, between `attempt` (from 1), which failed, and the next. `random` is from 0 to 1. */
export function retryDelayMs(
  policy: RetryPolicy | undefined,
  attempt: number,
  retryAfterMs = 0,
  random: number = Math.random(),
): number {
  const stepMs = longestDelayMs(policy ?? {}, attempt)
  return retryDelayAtLeast(Math.max((stepMs / 2) * (1 + random), retryAfterMs))
}

/** The delay, one of `RETRY_DELAYS_MS`, before an attempt that was put off comes again. */
export function deferralDelayMs(retryAfterMs = 0): number {
  return retryDelayAtLeast(retryAfterMs)
}

function longestDelayMs(policy: RetryPolicy, attempt: number): number {
  if (policy.schedule !== undefined) {
    const schedule: readonly number[] = SCHEDULES[policy.schedule]
    return schedule[attempt - 1] ?? schedule.at(-1)!
  }
  const { initial_delay_ms = SECOND_MS, factor = 2, max_delay_ms = HOUR_MS } = policy
  return Math.min(max_delay_ms, initial_delay_ms * factor ** (attempt - 1))
}

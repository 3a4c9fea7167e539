import { RETRY_DELAYS_MS, type RetryPolicy } from '@signalbox/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hasAttemptAfter, retryDelayMs } from '../src/retry.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** The longest delays: what jitter takes away is at most half. */
const delays = (policy: RetryPolicy | undefined, attempts: number) =>
  Array.from({ length: attempts }, (_, index) => retryDelayMs(policy, index + 1, 0, 1) / 1_000)

const delayMs = fc.integer({ min: 1_000, max: DAY_MS })
const policies: fc.Arbitrary<RetryPolicy> = fc.oneof(
  fc.constantFrom({ schedule: 'fast' as const }, { schedule: 'webhook' as const }),
  fc.record(
    {
      initial_delay_ms: delayMs,
      factor: fc.double({ min: 1, max: 10, noNaN: true }),
      max_delay_ms: delayMs,
    },
    { requiredKeys: [] },
  ),
)

describe('the delay before a retry', () => {
  it('doubles from a second to an hour when the policy says nothing', () => {
    expect(delays(undefined, 6)).toEqual([1, 2.2, 5, 8, 16, 38])
    expect(delays({}, 13).at(-1)).toBe(3_600)
  })

  it('follows the table of a schedule and stays at its end', () => {
    expect(delays({ schedule: 'fast' }, 7)).toEqual([1, 5, 30, 60, 300, 300, 300])
    expect(delays({ schedule: 'webhook' }, 11).map((seconds) => seconds * 1_000)).toEqual([
      5_000,
      30_000,
      300_000,
      1_800_000,
      ...[2, 5, 10, 14, 20, 24, 24].map((hours) => hours * HOUR_MS),
    ])
  })

  it('is a delay that the broker has a queue for, within half and 4/3 of what the policy says', () => {
    fc.assert(
      fc.property(
        policies,
        fc.integer({ min: 1, max: 50 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (policy, attempt, random) => {
          const delay = retryDelayMs(policy, attempt, 0, random)
          const longest = retryDelayMs(policy, attempt, 0, 1)
          expect(RETRY_DELAYS_MS).toContain(delay)
          expect(delay).toBeLessThanOrEqual(longest)
          expect(delay).toBeGreaterThanOrEqual(Math.max(1_000, (longest * 3) / 8))
          const { initial_delay_ms, max_delay_ms } = policy
          if (initial_delay_ms !== undefined) {
            const least = Math.min(initial_delay_ms, max_delay_ms ?? HOUR_MS)
            expect(delay).toBeGreaterThanOrEqual(least / 2)
          }
          if (policy.schedule === undefined) {
            expect(longest).toBeLessThanOrEqual(((max_delay_ms ?? HOUR_MS) * 4) / 3)
          }
        },
      ),
    )
  })

  it('is at least what the handler asked for, and at most a day', () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 0, max: 10 * DAY_MS }), (policy, retryAfterMs) => {
        const delay = retryDelayMs(policy, 1, retryAfterMs)
        expect(delay).toBeGreaterThanOrEqual(Math.min(retryAfterMs, DAY_MS))
        expect(delay).toBeLessThanOrEqual(
          Math.min(DAY_MS, Math.max((retryAfterMs * 4) / 3, retryDelayMs(policy, 1, 0, 1))),
        )
      }),
    )
  })

  it('spreads what failed together over several queues', () => {
    const spread = new Set(Array.from({ length: 200 }, () => retryDelayMs({}, 10)))
    expect(spread.size).toBeGreaterThan(1)
  })
})

describe('the delays of the broker', () => {
  it('go from a second to a day, each at most 4/3 of the one before', () => {
    expect(RETRY_DELAYS_MS.at(0)).toBe(1_000)
    expect(RETRY_DELAYS_MS.at(-1)).toBe(DAY_MS)
    for (const [index, delay] of RETRY_DELAYS_MS.entries()) {
      expect(Number.isInteger(delay)).toBe(true)
      if (index === 0) continue
      expect(delay).toBeGreaterThan(RETRY_DELAYS_MS[index - 1]!)
      expect(delay).toBeLessThanOrEqual((RETRY_DELAYS_MS[index - 1]! * 4) / 3 + 1)
    }
  })
})

describe('the attempts of a step', () => {
  it('are three unless its policy says otherwise', () => {
    const attempts = [1, 2, 3]
    expect(attempts.map((attempt) => hasAttemptAfter(attempt))).toEqual([true, true, false])
    expect(attempts.map((attempt) => hasAttemptAfter(attempt, { max_attempts: 1 }))).toEqual([
      false,
      false,
      false,
    ])
  })
})

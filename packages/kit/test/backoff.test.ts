import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { backoffDelayMs, delay } from '../src/index.ts'

describe('the delay before a try', () => {
  test('lies in the upper half of a step that doubles up to its limit', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        (attempt, initialDelayMs, maxDelayMs) => {
          const delayMs = backoffDelayMs(attempt, { initialDelayMs, maxDelayMs })
          const step = Math.min(maxDelayMs, initialDelayMs * 2 ** Math.min(attempt - 1, 30))
          expect(delayMs).toBeGreaterThanOrEqual(Math.floor(step / 2))
          expect(delayMs).toBeLessThanOrEqual(step)
        },
      ),
    )
  })

  test('is by default 50 to 100 ms at first and never more than 2 s', () => {
    expect(backoffDelayMs(1)).toBeLessThanOrEqual(100)
    expect(backoffDelayMs(1)).toBeGreaterThanOrEqual(50)
    expect(backoffDelayMs(1_000)).toBeLessThanOrEqual(2_000)
  })

  test('differs, so that many do not come back at once', () => {
    const delays = Array.from({ length: 50 }, () => backoffDelayMs(20, { maxDelayMs: 100_000 }))
    expect(new Set(delays).size).toBeGreaterThan(10)
  })
})

describe('waiting', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test('ends after the delay', async () => {
    const waiting = delay(1_000)
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(1_000)
    await waiting
    expect(vi.getTimerCount()).toBe(0)
  })

  test('ends at once when it is called off, and leaves no timer', async () => {
    const controller = new AbortController()
    const waiting = delay(60_000, controller.signal)
    controller.abort()
    await waiting
    expect(vi.getTimerCount()).toBe(0)
  })

  test('does not begin when it was called off before', async () => {
    await delay(60_000, AbortSignal.abort())
    expect(vi.getTimerCount()).toBe(0)
  })
})

import { expect, test } from 'vitest'
import { createLatency } from '../../src/loadtest/latency.ts'

test('percentiles are those of what was recorded, to three figures', () => {
  const latency = createLatency()
  for (let ms = 1; ms <= 1_000; ms++) latency.record(ms)
  const summary = latency.summary()!
  expect(summary.count).toBe(1_000)
  for (const [figure, ms] of [
    [summary.p50, 500],
    [summary.p90, 900],
    [summary.p99, 990],
    [summary.p99_9, 999],
    [summary.max, 1_000],
  ] as const) {
    expect(Math.abs(figure - ms) / ms).toBeLessThan(0.002)
  }
})

test('what lies outside counts at the edge, and nothing measured is no summary', () => {
  const latency = createLatency()
  expect(latency.summary()).toBeUndefined()
  latency.record(-5)
  latency.record(10 * 3_600_000)
  expect(latency.summary()?.count).toBe(2)
  expect(latency.atMs(50)).toBeCloseTo(0.001)
  latency.reset()
  expect(latency.count).toBe(0)
})

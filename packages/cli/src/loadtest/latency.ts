/** Latencies in an HDR histogram (Node's own): three significant figures from a microsecond to an hour, in constant space. */
import { createHistogram } from 'node:perf_hooks'

const HIGHEST_US = 3_600_000_000

/** In milliseconds; `undefined` where nothing was measured. */
export interface LatencySummary {
  count: number
  p50: number
  p90: number
  p99: number
  p99_9: number
  max: number
}

export type Latency = ReturnType<typeof createLatency>

export function createLatency() {
  const histogram = createHistogram({ lowest: 1, highest: HIGHEST_US, figures: 3 })
  const atMs = (percentage: number) => histogram.percentile(percentage) / 1_000

  return {
    /** What is below a microsecond counts as one, what is above an hour as an hour. */
    record(ms: number): void {
      histogram.record(Math.min(HIGHEST_US, Math.max(1, Math.round(ms * 1_000))))
    },
    get count() {
      return histogram.count
    },
    atMs,
    summary(): LatencySummary | undefined {
      if (histogram.count === 0) return undefined
      return {
        count: histogram.count,
        p50: atMs(50),
        p90: atMs(90),
        p99: atMs(99),
        p99_9: atMs(99.9),
        max: histogram.max / 1_000,
      }
    },
    reset: () => histogram.reset(),
  }
}

/** What happened in each second of the run, for the plots. */
import { createLatency, type Latency } from './latency.ts'

export const SERIES = ['confirmed', 'handled', 'shown'] as const
export type SeriesName = (typeof SERIES)[number]

export interface Second {
  /** Whole seconds since the start of the load. */
  second: number
  /** How many of each were seen in it. */
  counts: Record<SeriesName, number>
  /** The 99th percentile of the latencies seen in it, in milliseconds; absent: there were none. */
  p99Ms: Partial<Record<SeriesName, number>>
}

export type Timeline = ReturnType<typeof createTimeline>

/** `record` must be called in the order of time. */
export function createTimeline() {
  const seconds: Second[] = []
  const latencies: Record<SeriesName, Latency> = {
    confirmed: createLatency(),
    handled: createLatency(),
    shown: createLatency(),
  }

  function close(): void {
    const last = seconds.at(-1)
    for (const name of SERIES) {
      if (last && latencies[name].count > 0) last.p99Ms[name] = latencies[name].atMs(99)
      latencies[name].reset()
    }
  }

  return {
    /** Something was seen `atMs` after the start; negative times count as 0. */
    record(name: SeriesName, atMs: number, latencyMs: number): void {
      const second = Math.max(0, Math.floor(atMs / 1_000))
      while (seconds.length <= second) {
        close()
        const counts = { confirmed: 0, handled: 0, shown: 0 }
        seconds.push({ second: seconds.length, counts, p99Ms: {} })
      }
      seconds.at(-1)!.counts[name]++
      latencies[name].record(latencyMs)
    },
    /** All of it; call it once, at the end. */
    seconds(): Second[] {
      close()
      return seconds
    },
  }
}

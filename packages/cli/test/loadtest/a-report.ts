/** A report to render. */
import type { LoadReport } from '../../src/loadtest/report.ts'

export function aReport(changes: Partial<LoadReport> = {}): LoadReport {
  const latency = { count: 1_000, p50: 10, p90: 20, p99: 30, p99_9: 40, max: 50 }
  const path = { arrived: 1_000, repeated: 0, reordered: 0, late: 0 }
  return {
    startedAt: '2026-01-31T09:30:00.000Z',
    load: {
      rate: 100,
      durationMs: 10_000,
      chainLength: 2,
      handlerMs: 0,
      accounts: 1,
      conversations: 1,
      subscribers: 1,
      payloadBytes: 0,
      via: 'amqp',
      lateMs: 1_000,
      drainMs: 1_000,
      workers: 1,
    },
    system: 'a running system, 1 worker',
    interrupted: false,
    rate: { asked: 100, confirmed: 99.9, handled: 98.5 },
    latencyMs: { confirmed: latency, handled: latency, shown: undefined },
    curves: {
      confirmed: [
        [1, 1],
        [99, 20],
      ],
      handled: [
        [1, 2],
        [99, 30],
      ],
      shown: [],
    },
    totals: {
      sent: 1_000,
      confirmed: 1_000,
      unconfirmed: 0,
      unconfirmedHandled: 0,
      handled: path,
      shown: path,
      strangers: 0,
    },
    unhandled: { unmatched: 0, deadLettered: 0, lost: 0, examples: [] },
    unshown: { lost: 0, missed: 0 },
    socketBreaks: 0,
    faults: [
      {
        text: 'kill <b>redis</b>',
        instance: 1,
        beganMs: 2_000,
        endedMs: 3_000,
        servedMs: 4_000,
        handledAfterMs: 120,
        handledSilenceMs: 1_500,
      },
    ],
    seconds: [0, 1, 2, 3, 4].map((second) => ({
      second,
      counts: { confirmed: 100, handled: 90, shown: 80 },
      p99Ms: second === 2 ? {} : { confirmed: 5, handled: 30 },
    })),
    verdict: [],
    ...changes,
  }
}

/** The report of a run: everything that its text, its page and its JSON show. Nothing in it is secret. */
import type { Accounting } from './accounting.ts'
import type { FaultReport } from './fault-run.ts'
import type { Latency, LatencySummary } from './latency.ts'
import type { LoadOptions, LoadtestPlan } from './options.ts'
import type { Second } from './timeline.ts'

/** What became of the confirmed events whose last step was not executed. */
export interface Unhandled {
  /** The dispatcher says that no chain wanted it. */
  unmatched: number
  deadLettered: number
  /** Nobody knows, or it is said to be under way still. */
  lost: number
  /** A few of the lost, to look for. */
  examples: string[]
}

export interface LoadReport {
  startedAt: string
  load: LoadOptions
  /** In words: "1 dispatcher, 2 edges, …". */
  system: string
  /** Ended by a signal before its time. */
  interrupted: boolean
  /** Events per second: asked for, confirmed while publishing, handled until the last was. */
  rate: { asked: number; confirmed: number; handled: number }
  latencyMs: Record<'confirmed' | 'handled' | 'shown', LatencySummary | undefined>
  /** Pairs of a percentage and the milliseconds below which that part lies. */
  curves: Record<'confirmed' | 'handled' | 'shown', [number, number][]>
  totals: ReturnType<Accounting['totals']>
  unhandled: Unhandled
  /** Frames that did not come: without an excuse, and while the subscriber's socket was away. */
  unshown: { lost: number; missed: number }
  socketBreaks: number
  faults: FaultReport[]
  seconds: Second[]
  /** What must not be, in words; empty: everything is accounted for. */
  verdict: string[]
}

const CURVE_PERCENTAGES = [
  1, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 96, 97, 98, 99, 99.25, 99.5, 99.75, 99.9,
  99.95, 99.99,
]

export interface ReportDeps {
  plan: LoadtestPlan
  accounting: Accounting
  startMs: number
  publishedForMs: number
  isInterrupted: boolean
  unhandled: Unhandled
  socketBreaks: number
  faults: FaultReport[]
}

export function reportOf(deps: ReportDeps): LoadReport {
  const { plan, accounting, startMs, publishedForMs, unhandled } = deps
  const { latency, lastSeenMs } = accounting
  const totals = accounting.totals()
  const missing = accounting.notShown()
  const unshown = { lost: missing.lost.length, missed: missing.missed.length }
  const perSecond = (count: number, ms: number) => (ms > 0 ? (count * 1_000) / ms : 0)
  return {
    startedAt: new Date(startMs).toISOString(),
    load: plan.load,
    system: systemText(plan),
    interrupted: deps.isInterrupted,
    rate: {
      asked: plan.load.rate,
      confirmed: perSecond(
        totals.confirmed,
        Math.max(publishedForMs, lastSeenMs.confirmed - startMs),
      ),
      handled: perSecond(totals.handled.arrived, lastSeenMs.handled - startMs),
    },
    latencyMs: {
      confirmed: latency.confirmed.summary(),
      handled: latency.handled.summary(),
      shown: latency.shown.summary(),
    },
    curves: {
      confirmed: curveOf(latency.confirmed),
      handled: curveOf(latency.handled),
      shown: curveOf(latency.shown),
    },
    totals,
    unhandled,
    unshown,
    socketBreaks: deps.socketBreaks,
    faults: deps.faults,
    seconds: accounting.seconds(),
    verdict: verdictOf({ totals, unhandled, unshown }),
  }
}

/** Frames that a subscriber missed while its socket was away are no fault: the protocol promises them to open sockets. */
export function verdictOf(report: Pick<LoadReport, 'totals' | 'unhandled' | 'unshown'>): string[] {
  const { totals, unhandled, unshown } = report
  const faults: [number, string][] = [
    [unhandled.lost, 'confirmed events were lost'],
    [unhandled.unmatched, 'events matched no chain, although each account has one for them'],
    [unhandled.deadLettered, 'events were dead-lettered'],
    [unshown.lost, 'frames did not come although the socket was open'],
    [totals.strangers, 'executions or frames were of no identity that an event of this run has'],
  ]
  const verdict = faults
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${count.toLocaleString('en')} ${what}`)
  return totals.confirmed === 0 ? ['no event was confirmed', ...verdict] : verdict
}

function curveOf(latency: Latency): [number, number][] {
  if (latency.count === 0) return []
  return CURVE_PERCENTAGES.map((percentage) => [percentage, latency.atMs(percentage)])
}

function systemText({ load, system }: LoadtestPlan): string {
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`
  const workers = count(load.workers, 'worker')
  if (system.kind === 'given') return `a running system, ${workers}`
  return [
    `RabbitMQ of ${count(system.brokerNodes, 'node')}`,
    'Redis',
    count(system.dispatchers, 'dispatcher'),
    count(system.edges, 'edge'),
    workers,
  ].join(', ')
}

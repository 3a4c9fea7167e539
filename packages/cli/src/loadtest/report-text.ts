/** The report as a terminal shows it. */
import { formatMs } from './duration.ts'
import type { FaultReport } from './fault-run.ts'
import type { LatencySummary } from './latency.ts'
import type { LoadReport } from './report.ts'

export function reportText(report: LoadReport): string {
  const { load, rate, totals, latencyMs, unhandled, unshown } = report
  const perSecond = (figure: number) => `${count(Math.round(figure * 10) / 10)}/s`
  return [
    `Load test of ${report.startedAt}${report.interrupted ? ' (interrupted)' : ''}`,
    `${report.system}; chain of ${load.chainLength}, ${count(load.subscribers)} subscribers, over ${load.via.toUpperCase()}`,
    '',
    `rate   asked ${perSecond(rate.asked)}, confirmed ${perSecond(rate.confirmed)}, handled ${perSecond(rate.handled)}`,
    '',
    aligned([
      ['latency, ms', 'p50', 'p90', 'p99', 'p99.9', 'max', 'count'],
      latencyRow('publish to confirm', latencyMs.confirmed),
      latencyRow('publish to handled', latencyMs.handled),
      latencyRow('publish to socket', latencyMs.shown),
    ]),
    '',
    aligned([
      ['events', 'sent', 'confirmed', 'unconfirmed', 'of these handled'],
      ['', totals.sent, totals.confirmed, totals.unconfirmed, totals.unconfirmedHandled].map(count),
    ]),
    '',
    aligned([
      ['', 'arrived', 'lost', 'missed', 'repeated', 'reordered', 'late'],
      [
        'handled',
        totals.handled.arrived,
        unhandled.lost,
        '',
        totals.handled.repeated,
        totals.handled.reordered,
        totals.handled.late,
      ].map(count),
      [
        'on sockets',
        totals.shown.arrived,
        unshown.lost,
        unshown.missed,
        totals.shown.repeated,
        totals.shown.reordered,
        totals.shown.late,
      ].map(count),
    ]),
    `unmatched ${count(unhandled.unmatched)}, dead-lettered ${count(unhandled.deadLettered)}, of unknown identity ${count(totals.strangers)}, sockets broken ${count(report.socketBreaks)}`,
    ...(report.faults.length === 0 ? [] : ['', aligned(faultRows(report.faults))]),
    '',
    verdictText(report),
  ].join('\n')
}

/** One line, or one per fault. */
export function verdictText({ verdict, totals, unhandled }: LoadReport): string {
  if (verdict.length === 0) {
    return `OK: all ${count(totals.confirmed)} confirmed events are accounted for`
  }
  const examples =
    unhandled.examples.length === 0 ? [] : [`  for example ${unhandled.examples.join(', ')}`]
  return ['FAILED', ...verdict.map((fault) => `  ${fault}`), ...examples].join('\n')
}

/** One of each fault, and what the worst came to where there are several. */
export function faultRows(faults: readonly FaultReport[]): string[][] {
  const done = faults.filter(({ isSkipped }) => !isSkipped)
  return [
    ['fault', 'instance', 'served again', 'next handled', 'next frame', 'longest silence'],
    ...faults.map(faultRow),
    ...(done.length < 2 ? [] : [worstRow(done)]),
  ]
}

function faultRow(fault: FaultReport): string[] {
  const { text, instance, isSkipped, servedMs } = fault
  if (isSkipped) return [text, String(instance), 'skipped: was down', '', '', '']
  return [
    text,
    String(instance),
    servedMs === undefined ? 'not seen' : `at ${formatMs(servedMs)}`,
    afterText(fault.handledAfterMs),
    afterText(fault.shownAfterMs),
    silenceText(fault.handledSilenceMs, fault.shownSilenceMs),
  ]
}

function worstRow(faults: readonly FaultReport[]): string[] {
  const worst = (measure: keyof FaultReport) =>
    Math.max(...faults.map((fault) => Number(fault[measure] ?? Number.POSITIVE_INFINITY)))
  const after = (ms: number) => afterText(Number.isFinite(ms) ? ms : undefined)
  const downMs = Math.max(
    ...faults.map(({ endedMs, servedMs }) => (servedMs ?? Number.NaN) - (endedMs ?? Number.NaN)),
  )
  return [
    `the worst of ${faults.length}`,
    '',
    Number.isNaN(downMs) ? 'not seen' : `${formatMs(downMs)} after its end`,
    after(worst('handledAfterMs')),
    after(worst('shownAfterMs')),
    silenceText(
      ...(['handledSilenceMs', 'shownSilenceMs'] as const).map((measure) =>
        Math.max(...faults.map((fault) => fault[measure] ?? 0)),
      ),
    ),
  ]
}

function afterText(ms: number | undefined): string {
  return ms === undefined ? 'not seen' : `after ${formatMs(ms)}`
}

function silenceText(handledMs = 0, shownMs = 0): string {
  return `${formatMs(handledMs)}, ${formatMs(shownMs)}`
}

export function latencyRow(name: string, summary: LatencySummary | undefined): string[] {
  if (!summary) return [name, '-', '-', '-', '-', '-', '0']
  const { p50, p90, p99, p99_9, max } = summary
  return [name, ...[p50, p90, p99, p99_9, max].map((ms) => ms.toFixed(1)), count(summary.count)]
}

function count(figure: number | string): string {
  return typeof figure === 'number' ? figure.toLocaleString('en') : figure
}

/** Columns of one width; the first to the left, figures to the right. */
function aligned(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)
  return rows.map((row) => row.map(pad).join('   ').trimEnd()).join('\n')
}

/** The report as a page of its own: no script, nothing from elsewhere, light or dark as its reader prefers. */

import type { LoadReport } from './report.ts'
import { faultRows, latencyRow, verdictText } from './report-text.ts'
import { escaped, type Plot, plotSvg } from './svg-plot.ts'
import type { SeriesName } from './timeline.ts'

const NAMES: Readonly<Record<SeriesName, string>> = {
  confirmed: 'confirmed by the broker',
  handled: 'handled by the last step',
  shown: 'shown on a socket',
}
const SERIES = Object.keys(NAMES) as SeriesName[]

/** Where a percentage stands on an axis that gives each further nine the same room. */
const ninesOf = (percentage: number) => 1 / (1 - percentage / 100)
const NINES_TICKS = [0, 50, 90, 99, 99.9, 99.99].map(
  (percentage) => [ninesOf(percentage), `${percentage}%`] as const,
)

const STYLE = `
:root { color-scheme: light dark; --page: #fbfbfa; --card: #fff; --ink: #1c1c1a; --soft: #63625d; --rule: #e4e3de;
  --band: #d03b3b22; --good: #0a7d33; --bad: #c02626; --confirmed: #2a78d6; --handled: #12946a; --shown: #d95f21; }
@media (prefers-color-scheme: dark) { :root { --page: #161615; --card: #1f1f1d; --ink: #f2f1ec; --soft: #a5a49c;
  --rule: #383833; --band: #e6676733; --good: #35b765; --bad: #f07070; --confirmed: #4a97ee; --handled: #2bb586; --shown: #ee8144; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 920px; margin: 0 auto; padding: 32px 16px 64px; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 32px 0 8px; }
p { margin: 0 0 8px; } .soft, .axis, .tick, .empty { color: var(--soft); }
.verdict { white-space: pre-wrap; font-weight: 600; border-left: 4px solid; padding: 8px 12px; margin: 16px 0; background: var(--card); }
.ok { color: var(--good); } .failed { color: var(--bad); }
figure { margin: 0; padding: 12px; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; }
figcaption { display: flex; flex-wrap: wrap; gap: 4px 16px; color: var(--soft); font-size: 13px; margin-bottom: 4px; }
figcaption b { display: inline-block; width: 14px; height: 3px; margin-right: 6px; vertical-align: middle; }
svg { display: block; width: 100%; height: auto; }
.grid { stroke: var(--rule); } .band { fill: var(--band); }
.tick, .axis { fill: var(--soft); font-size: 12px; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
${SERIES.map((name) => `.series-${name} { stroke: var(--${name}); } .key-${name} { background: var(--${name}); }`).join('\n')}
.key-fault { background: var(--bad); opacity: .5; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 12px 5px 0; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { color: var(--soft); font-weight: 500; font-size: 13px; }
`

export function reportHtml(report: LoadReport): string {
  const { totals, unhandled, unshown, latencyMs, rate, load } = report
  const figures = (values: readonly number[]) => values.map((value) => value.toLocaleString('en'))
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Load test ${escaped(report.startedAt)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Load test</h1>
<p class="soft">${escaped(report.startedAt)}${report.interrupted ? ', interrupted' : ''}: ${escaped(report.system)}; chain of ${load.chainLength}, ${load.subscribers} subscribers, over ${load.via.toUpperCase()}</p>
<div class="verdict ${report.verdict.length === 0 ? 'ok' : 'failed'}">${escaped(verdictText(report))}</div>
<h2>Throughput</h2>
<p class="soft">Asked ${rate.asked}/s, confirmed ${rate.confirmed.toFixed(1)}/s, handled ${rate.handled.toFixed(1)}/s.</p>
${figure(report, throughputPlot(report))}
<h2>Latency over time</h2>
<p class="soft">The 99th percentile of each second, from the time at which an event should have been sent.</p>
${figure(report, latencyPlot(report))}
<h2>Latency by percentile</h2>
${figure(report, percentilePlot(report))}
${table([
  ['latency, ms', 'p50', 'p90', 'p99', 'p99.9', 'max', 'count'],
  ...SERIES.map((name) => latencyRow(`publish to ${NAMES[name]}`, latencyMs[name])),
])}
<h2>Every event</h2>
${table([
  ['', 'arrived', 'lost', 'missed', 'repeated', 'reordered', 'late'],
  [
    'handled',
    ...figures([
      totals.handled.arrived,
      unhandled.lost,
      0,
      totals.handled.repeated,
      totals.handled.reordered,
      totals.handled.late,
    ]),
  ],
  [
    'on sockets',
    ...figures([
      totals.shown.arrived,
      unshown.lost,
      unshown.missed,
      totals.shown.repeated,
      totals.shown.reordered,
      totals.shown.late,
    ]),
  ],
])}
<p class="soft">${figures([totals.sent])} sent, ${figures([totals.confirmed])} confirmed, ${figures([totals.unconfirmed])} unconfirmed (${figures([totals.unconfirmedHandled])} of these handled all the same); ${figures([unhandled.unmatched])} unmatched, ${figures([unhandled.deadLettered])} dead-lettered. Missed: while the subscriber's socket was away.</p>
${report.faults.length === 0 ? '' : `<h2>Faults</h2>\n${table(faultRows(report.faults))}`}
</main>
</body>
</html>
`
}

function throughputPlot({ seconds, faults }: LoadReport): Plot {
  return {
    title: 'Events per second over time',
    x: { label: 'seconds since the start', scale: 'linear' },
    y: { label: 'per second', scale: 'linear' },
    bands: bandsOf(faults),
    lines: SERIES.map((name) => ({
      name: NAMES[name],
      className: name,
      points: seconds.map(({ second, counts }) => [second, counts[name]] as const),
    })),
  }
}

function latencyPlot({ seconds, faults }: LoadReport): Plot {
  return {
    title: '99th percentile of latency over time',
    x: { label: 'seconds since the start', scale: 'linear' },
    y: { label: 'p99, ms', scale: 'log' },
    bands: bandsOf(faults),
    lines: SERIES.map((name) => ({
      name: NAMES[name],
      className: name,
      points: seconds.flatMap(({ second, p99Ms }) => {
        const ms = p99Ms[name]
        return ms === undefined ? [] : [[second, ms] as const]
      }),
    })),
  }
}

function percentilePlot({ curves }: LoadReport): Plot {
  return {
    title: 'Latency by percentile',
    x: { label: 'percentile', scale: 'log', ticks: NINES_TICKS },
    y: { label: 'ms', scale: 'log' },
    lines: SERIES.map((name) => ({
      name: NAMES[name],
      className: name,
      points: curves[name].map(([percentage, ms]) => [ninesOf(percentage), ms] as const),
    })),
  }
}

function bandsOf(faults: LoadReport['faults']) {
  return faults.map(({ text, beganMs, servedMs, endedMs }) => ({
    label: text,
    from: beganMs / 1_000,
    to: (servedMs ?? endedMs ?? beganMs) / 1_000,
  }))
}

function figure(report: LoadReport, plot: Plot): string {
  const keys = SERIES.map((name) => `<span><b class="key-${name}"></b>${NAMES[name]}</span>`)
  const isMarked = plot.bands !== undefined && report.faults.length > 0
  const faultKey = isMarked
    ? '<span><b class="key-fault"></b>a fault, until it served again</span>'
    : ''
  return `<figure><figcaption>${keys.join('')}${faultKey}</figcaption>${plotSvg(plot)}</figure>`
}

function table([head = [], ...rows]: readonly (readonly string[])[]): string {
  const cells = (tag: string, row: readonly string[]) =>
    row.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')
  return `<div class="scroll"><table><thead><tr>${cells('th', head)}</tr></thead><tbody>${rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('')}</tbody></table></div>`
}

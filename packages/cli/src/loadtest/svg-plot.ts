/** Line plots as SVG text: two axes, a few lines, bands behind them. Colours come from the page's style sheet. */

export interface Line {
  name: string
  /** Of the page's style: `series-<className>`. */
  className: string
  /** In the order of x. */
  points: readonly (readonly [x: number, y: number])[]
}

/** What lasted for a while, marked behind the lines. */
export interface Band {
  label: string
  from: number
  to: number
}

export interface Axis {
  label: string
  scale: 'linear' | 'log'
  /** Ticks to show instead of computed ones: value and text. */
  ticks?: readonly (readonly [value: number, text: string])[]
}

export interface Plot {
  title: string
  x: Axis
  y: Axis
  lines: readonly Line[]
  bands?: readonly Band[]
}

const WIDTH = 860
const HEIGHT = 300
const MARGIN = { top: 12, right: 32, bottom: 40, left: 64 }
const TICKS = 6
const SMALLEST_LOG = 1e-3

type Scale = (value: number) => number

/** A whole `<svg>` element. With nothing to draw it is a sentence that says so. */
export function plotSvg(plot: Plot): string {
  const points = plot.lines.flatMap((line) => line.points)
  if (points.length === 0) return '<p class="empty">Nothing was measured.</p>'
  const [xDomain, yDomain] = [
    domainOf(
      points.map(([x]) => x),
      plot.x,
    ),
    domainOf(
      points.map(([, y]) => y),
      plot.y,
    ),
  ]
  const x = scaleOf(xDomain, plot.x, MARGIN.left, WIDTH - MARGIN.right)
  const y = scaleOf(yDomain, plot.y, HEIGHT - MARGIN.bottom, MARGIN.top)
  return [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(plot.title)}">`,
    ...(plot.bands ?? []).map((band) => bandSvg(band, x)),
    ...ticksOf(yDomain, plot.y).map(([value, text]) => horizontalTick(y(value), text)),
    ...ticksOf(xDomain, plot.x).map(([value, text]) => verticalTick(x(value), text)),
    axisLabels(plot),
    ...plot.lines.map((line) => lineSvg(line, x, y)),
    '</svg>',
  ].join('\n')
}

/** n.b. text from outside (a fault as it was written) goes into the page. */
export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

function domainOf(values: readonly number[], { scale }: Axis): [number, number] {
  const low = values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY)
  const high = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
  if (scale === 'log') {
    const least = Math.max(SMALLEST_LOG, low)
    return [least, Math.max(high, least * 10)]
  }
  return [Math.min(0, low), high > 0 ? high * 1.05 : 1]
}

function scaleOf([low, high]: [number, number], { scale }: Axis, from: number, to: number): Scale {
  const position = scale === 'log' ? (value: number) => Math.log10(Math.max(value, low)) : Number
  const [first, last] = [position(low), position(high)]
  return (value) => from + ((position(value) - first) / (last - first)) * (to - from)
}

function ticksOf(domain: [number, number], axis: Axis): readonly (readonly [number, string])[] {
  const [low, high] = domain
  if (axis.ticks) return axis.ticks.filter(([value]) => value >= low && value <= high)
  if (axis.scale === 'log') {
    const first = Math.ceil(Math.log10(low))
    const decades = Math.max(0, Math.floor(Math.log10(high)) - first + 1)
    return Array.from({ length: decades }, (_, index) => withText(10 ** (first + index)))
  }
  const rough = (high - low) / TICKS
  const magnitude = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * magnitude).find((size) => size >= rough)!
  const count = Math.floor(high / step) + 1
  return Array.from({ length: count }, (_, index) => withText(index * step))
}

function withText(value: number): [number, string] {
  return [value, Number(value.toPrecision(6)).toLocaleString('en', { maximumFractionDigits: 3 })]
}

function bandSvg({ label, from, to }: Band, x: Scale): string {
  const right = WIDTH - MARGIN.right
  const [left, end] = [Math.min(x(from), right), Math.min(x(to), right)]
  const height = HEIGHT - MARGIN.top - MARGIN.bottom
  return `<rect class="band" x="${f(left)}" y="${MARGIN.top}" width="${f(Math.max(2, end - left))}" height="${height}"><title>${escaped(label)}</title></rect>`
}

function horizontalTick(y: number, text: string): string {
  return `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${f(y)}" y2="${f(y)}"/><text class="tick" text-anchor="end" x="${MARGIN.left - 8}" y="${f(y + 4)}">${text}</text>`
}

function verticalTick(x: number, text: string): string {
  return `<text class="tick" text-anchor="middle" x="${f(x)}" y="${HEIGHT - MARGIN.bottom + 18}">${text}</text>`
}

function axisLabels({ x, y }: Plot): string {
  const middle = (MARGIN.top + HEIGHT - MARGIN.bottom) / 2
  return [
    `<text class="axis" text-anchor="middle" x="${(MARGIN.left + WIDTH - MARGIN.right) / 2}" y="${HEIGHT - 4}">${escaped(x.label)}</text>`,
    `<text class="axis" text-anchor="middle" transform="translate(14 ${middle}) rotate(-90)">${escaped(y.label)}</text>`,
  ].join('\n')
}

function lineSvg({ name, className, points }: Line, x: Scale, y: Scale): string {
  const path = points.map(([px, py]) => `${f(x(px))},${f(y(py))}`).join(' ')
  return `<polyline class="line series-${className}" points="${path}"><title>${escaped(name)}</title></polyline>`
}

function f(value: number): string {
  return value.toFixed(1)
}

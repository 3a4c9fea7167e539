/** Durations as people write them: `500ms`, `10s`, `1.5s`, `2m`. */

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 }
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m)$/

export const DURATION_FORM = 'a duration such as 500ms, 10s or 2m'

/** In milliseconds; undefined when the text is not a duration. */
export function durationMsOf(text: string): number | undefined {
  const [, figure, unit] = DURATION.exec(text) ?? []
  if (figure === undefined || unit === undefined) return undefined
  return Math.round(Number(figure) * (UNIT_MS[unit] ?? 1))
}

/** `1,500` reads `1.5 s`, `90,000` reads `90 s`, `250` reads `250 ms`. */
export function formatMs(ms: number): string {
  if (ms >= 1_000) return `${Number((ms / 1_000).toFixed(2))} s`
  return `${Number(ms.toFixed(ms < 100 ? 1 : 0))} ms`
}

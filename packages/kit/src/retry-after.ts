/**
 * Reading `Retry-After`: seconds, or an HTTP date.
 * Source: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
 */

/** Milliseconds from now, 0 for a date that has passed; undefined when there is no such header or nobody can read it. */
export function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim()
  if (!text) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000
  // n.b. Date.parse reads much that is no HTTP date ("-1"); those begin with the day's name and end in GMT.
  if (!/^[A-Z][a-z]{2,8}, .* GMT$/.test(text)) return undefined
  const atMs = Date.parse(text)
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs)
}

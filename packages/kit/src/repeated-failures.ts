/**
 * What fails again and again for one reason: told the first time, then counted.
 *
 * Of each kind the first failure is logged at once; those that follow within the interval are counted, and one line at
 * its end says how many there were, with the fields of the last. So an outage writes a line per kind and interval, however much fails.
 */
import type { Log } from './logging.ts'

const DEFAULT_INTERVAL_MS = 60_000
/** What would be told beyond is told uncounted: kinds are a handful of codes, never what users sent. */
const MAX_KINDS = 100

/** `kind` is what is counted together: an error's code. */
export type TellFailure = (kind: string, fields: object, message: string) => void

export interface RepeatedFailuresOptions {
  /** Default 60,000 ms. */
  intervalMs?: number
  level?: 'warn' | 'error'
}

/** Counts that are not told yet keep no process alive. */
export function createRepeatedFailures(
  log: Log,
  { intervalMs = DEFAULT_INTERVAL_MS, level = 'error' }: RepeatedFailuresOptions = {},
): TellFailure {
  const kinds = new Map<string, { repeated: number; fields: object }>()

  const begin = (kind: string, fields: object, message: string) => {
    const entry = { repeated: 0, fields }
    kinds.set(kind, entry)
    setTimeout(() => {
      kinds.delete(kind)
      if (entry.repeated === 0) return
      log[level]({ ...entry.fields, repeated: entry.repeated }, message)
      begin(kind, entry.fields, message)
    }, intervalMs).unref()
  }

  return (kind, fields, message) => {
    const entry = kinds.get(kind)
    if (entry) {
      entry.repeated += 1
      entry.fields = fields
    } else {
      log[level](fields, message)
      if (kinds.size < MAX_KINDS) begin(kind, fields, message)
    }
  }
}

/** Timestamps and durations, as CEL has them: months, days of the month, of the week and of the year count from 0. */

import { LRUCache } from 'lru-cache'
import type { Budget } from './budget.ts'
import { Fault } from './fault.ts'
import type { Callable } from './functions.ts'
import { article, Duration, isNumber, type Value } from './value.ts'

const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 0.001,
  ns: 0.000_001,
}
const DAY_MS = 86_400_000

/** Calendars are slow: as slow as this many nodes, and more for a zone met for the first time. */
const STEPS_OF_ZONE = 100
const STEPS_OF_NEW_ZONE = 2_000

/** RFC 3339, or whole seconds since 1970. */
export function timestampOf(value: Value): Date {
  if (value instanceof Date) return value
  const date =
    typeof value === 'string' &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(value)
      ? new Date(value)
      : new Date(isNumber(value) ? Number(value) * 1_000 : Number.NaN)
  if (Number.isNaN(date.getTime())) {
    throw new Fault('timestamp() needs an RFC 3339 text such as "2026-01-31T09:30:00Z"')
  }
  return date
}

/** A text such as `1h30m` or `-1.5s`. */
export function durationOf(value: Value): Duration {
  if (value instanceof Duration) return value
  if (typeof value !== 'string' || !/^[+-]?(\d{1,15}(\.\d{1,9})?(h|ms|us|ns|m|s))+$/.test(value)) {
    throw new Fault('duration() needs a text such as "1h30m" or "90s"')
  }
  let milliseconds = 0
  for (const [, count, unit] of value.matchAll(/([\d.]+)(h|ms|us|ns|m|s)/g)) {
    milliseconds += Number(count) * UNIT_MS[unit!]!
  }
  return new Duration(value.startsWith('-') ? -milliseconds : milliseconds)
}

/** Each reads a date whose UTC fields are those of the wanted time zone. */
const DATE_FIELDS: Readonly<Record<string, (date: Date) => number>> = {
  getFullYear: (date) => date.getUTCFullYear(),
  getMonth: (date) => date.getUTCMonth(),
  getDate: (date) => date.getUTCDate(),
  getDayOfMonth: (date) => date.getUTCDate() - 1,
  getDayOfWeek: (date) => date.getUTCDay(),
  getDayOfYear: (date) =>
    Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY_MS),
  getHours: (date) => date.getUTCHours(),
  getMinutes: (date) => date.getUTCMinutes(),
  getSeconds: (date) => date.getUTCSeconds(),
  getMilliseconds: (date) => date.getUTCMilliseconds(),
}

/** A duration is one amount in different units, not fields: `duration("90m").getHours()` is 1, `getMinutes()` is 90. */
const DURATION_UNIT_MS: Readonly<Record<string, number>> = {
  getHours: UNIT_MS.h!,
  getMinutes: UNIT_MS.m!,
  getSeconds: UNIT_MS.s!,
  getMilliseconds: 1,
}

export const TIME_METHODS: Readonly<Record<string, Callable>> = Object.fromEntries(
  Object.entries(DATE_FIELDS).flatMap(([name, read]): [string, Callable][] => {
    const inUtc: Callable = ([value]) => {
      const unitMs = DURATION_UNIT_MS[name]
      if (value instanceof Duration && unitMs !== undefined) {
        return BigInt(Math.trunc(value.milliseconds / unitMs))
      }
      return BigInt(read(requireDate(name, value!)))
    }
    const inZone: Callable = ([value, zone], budget) => {
      if (typeof zone !== 'string') throw new Fault(`${name}() needs the name of a time zone`)
      return BigInt(read(inTimeZone(requireDate(name, value!), zone, budget)))
    }
    return [
      [`${name}/0`, inUtc],
      [`${name}/1`, inZone],
    ]
  }),
)

function requireDate(method: string, value: Value): Date {
  if (value instanceof Date) return value
  throw new Fault(`${method}() needs a timestamp, not ${article(value)}; timestamp() makes one`)
}

const formats = new LRUCache<string, Intl.DateTimeFormat>({ max: 100 })

/** `zone` is an IANA name or an offset: `Africa/Johannesburg`, `+02:00`. */
function inTimeZone(date: Date, zone: string, budget: Budget): Date {
  budget.spend(STEPS_OF_ZONE)
  const format = formats.get(zone) ?? newFormat(zone, budget)
  formats.set(zone, format)
  const field = Object.fromEntries(
    format.formatToParts(date).map(({ type, value }) => [type, Number(value)]),
  )
  return new Date(
    Date.UTC(
      field.year!,
      field.month! - 1,
      field.day,
      field.hour,
      field.minute,
      field.second,
      date.getUTCMilliseconds(),
    ),
  )
}

function newFormat(zone: string, budget: Budget): Intl.DateTimeFormat {
  budget.spend(STEPS_OF_NEW_ZONE)
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch {
    throw new Fault('there is no time zone of that name')
  }
}

/**
 * The values that expressions work on.
 *
 * | CEL         | here                  | becomes JSON as                              |
 * | ----------- | --------------------- | -------------------------------------------- |
 * | `int`       | bigint, 64 bits       | a number; beyond 2^53 it is refused          |
 * | `double`    | number                | a number; NaN and infinities are refused     |
 * | `timestamp` | Date                  | RFC 3339                                     |
 * | `duration`  | Duration              | seconds: `"90.5s"`                           |
 * | `type`      | CelType               | its name                                     |
 * | the rest    | the JSON value itself | itself                                       |
 *
 * JSON numbers are doubles, as in every CEL that reads JSON: what an expression means must not depend on whether an average
 * happens to be 4 or 4.5. Literals without a point and sizes are ints; ints and doubles mix (see `operators.ts`).
 */
import type { Json } from '@signalbox/contracts'
import type { Budget } from './budget.ts'
import { Fault } from './fault.ts'

export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Date
  | Duration
  | CelType
  | Value[]
  | { [key: string]: Value }

export class Duration {
  readonly milliseconds: number
  constructor(milliseconds: number) {
    this.milliseconds = milliseconds
  }
}

export class CelType {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

export function isMap(value: Value): value is { [key: string]: Value } {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Date) &&
    !(value instanceof Duration) &&
    !(value instanceof CelType)
  )
}

export function isNumber(value: Value): value is bigint | number {
  return typeof value === 'bigint' || typeof value === 'number'
}

export function typeNameOf(value: Value): string {
  if (value === null) return 'null_type'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'bigint') return 'int'
  if (typeof value === 'number') return 'double'
  if (typeof value === 'string') return 'string'
  if (Array.isArray(value)) return 'list'
  if (value instanceof Date) return 'timestamp'
  if (value instanceof Duration) return 'duration'
  return value instanceof CelType ? 'type' : 'map'
}

/** As messages say it: `a list`, `an int`, `null`. */
export function article(value: Value): string {
  if (value === null) return 'null'
  const name = typeNameOf(value)
  return `${name === 'int' ? 'an' : 'a'} ${name}`
}

/** Throws a `Fault` on what JSON cannot hold, and when the result grows beyond the budget. */
export function toJson(value: Value, budget: Budget): Json {
  if (value === null || typeof value === 'boolean') {
    budget.produce(5)
    return value
  }
  if (typeof value === 'bigint') {
    const number = Number(value)
    if (!Number.isSafeInteger(number)) {
      throw new Fault(`${value} is beyond what a JSON number holds exactly; use string()`)
    }
    budget.produce(8)
    return number
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Fault('the result is not a finite number')
    budget.produce(8)
    return value
  }
  if (typeof value === 'string') {
    budget.produce(value.length + 2)
    return value
  }
  if (Array.isArray(value)) {
    budget.produce(2 + value.length)
    return value.map((item) => toJson(item, budget))
  }
  if (isMap(value)) {
    budget.produce(2)
    // n.b. fromEntries defines `__proto__` as a plain key; assignment would set the prototype.
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => {
        budget.produce(key.length + 4)
        return [key, toJson(item, budget)]
      }),
    )
  }
  const text = scalarText(value)
  budget.produce(text.length + 2)
  return text
}

/** A value inside a longer text: strings as they are, null as nothing, lists and maps as JSON. */
export function toText(value: Value, budget: Budget): string {
  if (Array.isArray(value) || isMap(value)) return JSON.stringify(toJson(value, budget))
  const text = scalarText(value)
  budget.produce(text.length)
  return text
}

export function scalarText(value: Exclude<Value, Value[] | { [key: string]: Value }>): string {
  if (value === null) return ''
  if (typeof value !== 'object') return String(value)
  if (value instanceof Date) return value.toISOString()
  return value instanceof Duration ? `${value.milliseconds / 1_000}s` : value.name
}

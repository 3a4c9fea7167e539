/**
 * Arithmetic, order and equality.
 *
 * int with int is CEL's: 64 bits, overflow is an error, `7 / 2` is 3. As soon as one side is a double, which every JSON number is,
 * both are: `event.event_data.score / 2` is 3.5 for 7. CEL itself has no operators for mixed pairs; without them nobody
 * could add 1 to a field. Division and remainder by zero are errors for both.
 */
import type { BinaryOperator } from '@marcbachmann/cel-js'
import { type Budget, stepsOfText } from './budget.ts'
import { Fault } from './fault.ts'
import { article, CelType, Duration, isMap, isNumber, type Value } from './value.ts'

const MIN_INT = -(2n ** 63n)
const MAX_INT = 2n ** 63n - 1n

export type Binary = (left: Value, right: Value, budget: Budget) => Value

export const BINARY = {
  '+': add,
  '-': subtract,
  '*': (left: Value, right: Value) =>
    arithmetic('*', left, right, {
      ints: (a, b) => a * b,
      doubles: (a, b) => a * b,
    }),
  '/': (left: Value, right: Value) =>
    arithmetic('/', left, right, {
      ints: (a, b) => a / divisor(b),
      doubles: (a, b) => a / divisor(b),
    }),
  '%': (left: Value, right: Value) =>
    arithmetic('%', left, right, {
      ints: (a, b) => a % divisor(b),
      doubles: (a, b) => a % divisor(b),
    }),
  '<': (left: Value, right: Value, budget: Budget) => compare('<', left, right, budget) < 0,
  '<=': (left: Value, right: Value, budget: Budget) => compare('<=', left, right, budget) <= 0,
  '>': (left: Value, right: Value, budget: Budget) => compare('>', left, right, budget) > 0,
  '>=': (left: Value, right: Value, budget: Budget) => compare('>=', left, right, budget) >= 0,
  '==': (left: Value, right: Value, budget: Budget) => areEqual(left, right, budget),
  '!=': (left: Value, right: Value, budget: Budget) => !areEqual(left, right, budget),
  in: isIn,
} as const satisfies Record<BinaryOperator, Binary>

export function negate(value: Value): Value {
  if (typeof value === 'bigint') return inRange(-value)
  if (typeof value === 'number') return -value
  throw new Fault(`${article(value)} cannot be negated`)
}

/** Deep; an int equals a double of the same value; values of different types are not equal. */
export function areEqual(left: Value, right: Value, budget: Budget): boolean {
  budget.spend(1)
  if (isNumber(left) && isNumber(right)) return compareNumbers(left, right) === 0
  if (typeof left === 'string' && typeof right === 'string') {
    if (left.length === right.length) budget.spend(stepsOfText(left.length))
    return left === right
  }
  if (left === null || right === null || typeof left !== 'object' || typeof right !== 'object') {
    return left === right
  }
  if (Array.isArray(left)) {
    return (
      Array.isArray(right) &&
      left.length === right.length &&
      left.every((item, index) => areEqual(item, right[index]!, budget))
    )
  }
  if (left instanceof Date) return right instanceof Date && left.getTime() === right.getTime()
  if (left instanceof Duration) {
    return right instanceof Duration && left.milliseconds === right.milliseconds
  }
  if (left instanceof CelType) return right instanceof CelType && left.name === right.name
  if (!isMap(right)) return false
  const keys = Object.keys(left)
  budget.spend(keys.length)
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && areEqual(left[key]!, right[key]!, budget))
  )
}

function add(left: Value, right: Value, budget: Budget): Value {
  if (typeof left === 'string' && typeof right === 'string') {
    budget.spend(stepsOfText(left.length + right.length))
    return left + right
  }
  if (Array.isArray(left) && Array.isArray(right)) {
    budget.spend(left.length + right.length)
    return [...left, ...right]
  }
  if (left instanceof Date && right instanceof Duration) return later(left, right.milliseconds)
  if (left instanceof Duration && right instanceof Date) return later(right, left.milliseconds)
  if (left instanceof Duration && right instanceof Duration) {
    return new Duration(left.milliseconds + right.milliseconds)
  }
  return arithmetic('+', left, right, { ints: (a, b) => a + b, doubles: (a, b) => a + b })
}

function subtract(left: Value, right: Value): Value {
  if (left instanceof Date && right instanceof Duration) return later(left, -right.milliseconds)
  if (left instanceof Date && right instanceof Date) {
    return new Duration(left.getTime() - right.getTime())
  }
  if (left instanceof Duration && right instanceof Duration) {
    return new Duration(left.milliseconds - right.milliseconds)
  }
  return arithmetic('-', left, right, { ints: (a, b) => a - b, doubles: (a, b) => a - b })
}

interface Arithmetic {
  ints: (a: bigint, b: bigint) => bigint
  doubles: (a: number, b: number) => number
}

function arithmetic(sign: string, left: Value, right: Value, how: Arithmetic): Value {
  if (typeof left === 'bigint' && typeof right === 'bigint') return inRange(how.ints(left, right))
  if (isNumber(left) && isNumber(right)) return how.doubles(Number(left), Number(right))
  const hint =
    sign === '+' && (typeof left === 'string' || typeof right === 'string')
      ? '; string() makes a text of a value'
      : ''
  throw new Fault(`${article(left)} ${sign} ${article(right)} is not defined${hint}`)
}

function inRange(value: bigint): bigint {
  if (value < MIN_INT || value > MAX_INT) throw new Fault('the int is beyond 64 bits')
  return value
}

function divisor<Number extends bigint | number>(value: Number): Number {
  if (Number(value) === 0) throw new Fault('division by zero')
  return value
}

function later(date: Date, milliseconds: number): Date {
  const moved = new Date(date.getTime() + milliseconds)
  if (Number.isNaN(moved.getTime())) throw new Fault('the timestamp is out of range')
  return moved
}

function compare(sign: string, left: Value, right: Value, budget: Budget): number {
  if (isNumber(left) && isNumber(right)) return compareNumbers(left, right)
  if (typeof left === 'string' && typeof right === 'string') {
    budget.spend(stepsOfText(Math.min(left.length, right.length)))
    return left < right ? -1 : Number(left > right)
  }
  if (typeof left === 'boolean' && typeof right === 'boolean') return Number(left) - Number(right)
  if (left instanceof Date && right instanceof Date) return left.getTime() - right.getTime()
  if (left instanceof Duration && right instanceof Duration) {
    return left.milliseconds - right.milliseconds
  }
  throw new Fault(`${article(left)} ${sign} ${article(right)} is not defined`)
}

/** NaN when one of them is: no order holds. Ints and doubles compare by their exact values. */
function compareNumbers(left: bigint | number, right: bigint | number): number {
  if (left < right) return -1
  if (left > right) return 1
  return left >= right ? 0 : Number.NaN
}

function isIn(left: Value, right: Value, budget: Budget): boolean {
  if (Array.isArray(right)) return right.some((item) => areEqual(left, item, budget))
  if (isMap(right)) return typeof left === 'string' && Object.hasOwn(right, left)
  throw new Fault(`"in" needs a list or a map on its right, not ${article(right)}`)
}

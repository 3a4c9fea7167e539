/**
 * The functions and methods of expressions, by `name/arguments`; a method's receiver is its first argument. The table is the
 * whole list: what is not in it does not compile. `docs/expressions.md` shows it.
 */
import { LRUCache } from 'lru-cache'
import { RE2JS } from 're2js'
import { type Budget, stepsOfText } from './budget.ts'
import { Fault } from './fault.ts'
import { durationOf, TIME_METHODS, timestampOf } from './time.ts'
import { article, CelType, isMap, scalarText, typeNameOf, type Value } from './value.ts'

export type Callable = (args: readonly Value[], budget: Budget) => Value

const MAX_PATTERN_CHARS = 256
/** Instructions of the compiled pattern. */
const MAX_PATTERN_SIZE = 1_000
const MAX_CACHED_PATTERNS = 500

export const FUNCTIONS: Readonly<Record<string, Callable>> = {
  'size/1': ([value], budget) => sizeOf(value!, budget),
  'string/1': ([value]) => stringOf(value!),
  'int/1': ([value]) => intOf(value!),
  'double/1': ([value]) => doubleOf(value!),
  'bool/1': ([value]) => boolOf(value!),
  'type/1': ([value]) => new CelType(typeNameOf(value!)),
  'dyn/1': ([value]) => value!,
  'timestamp/1': ([value]) => timestampOf(value!),
  'duration/1': ([value]) => durationOf(value!),
}

export const METHODS: Readonly<Record<string, Callable>> = {
  'size/0': ([value], budget) => sizeOf(value!, budget),
  'contains/1': texts('contains', (text, [part]) => text.includes(part!)),
  'startsWith/1': texts('startsWith', (text, [part]) => text.startsWith(part!)),
  'endsWith/1': texts('endsWith', (text, [part]) => text.endsWith(part!)),
  'lowerAscii/0': texts('lowerAscii', (text) =>
    text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()),
  ),
  'upperAscii/0': texts('upperAscii', (text) =>
    text.replace(/[a-z]+/g, (letters) => letters.toUpperCase()),
  ),
  'trim/0': texts('trim', (text) => text.trim()),
  'indexOf/1': texts('indexOf', (text, [part]) => positionOf(text, text.indexOf(part!))),
  'lastIndexOf/1': texts('lastIndexOf', (text, [part]) =>
    positionOf(text, text.lastIndexOf(part!)),
  ),
  'matches/1': texts('matches', (text, [pattern], budget) => {
    const compiled = patternOf(pattern!)
    // n.b. RE2 does not backtrack, but its work grows with the pattern as well as with the text.
    budget.spend(Math.ceil((text.length * compiled.programSize()) / 2))
    return compiled.test(text)
  }),
  'split/1': texts('split', (text, [separator], budget) => {
    const parts = text.split(separator!)
    budget.spend(parts.length)
    return parts
  }),
  'replace/2': texts('replace', (text, [from, to], budget) => {
    const replaced = text.replaceAll(from!, () => {
      budget.spend(stepsOfText(to!.length))
      return to!
    })
    budget.spend(stepsOfText(replaced.length))
    return replaced
  }),
  'substring/1': ([text, start], budget) => substring(text!, start!, undefined, budget),
  'substring/2': ([text, start, end], budget) => substring(text!, start!, end!, budget),
  'join/0': ([list], budget) => join(list!, '', budget),
  'join/1': ([list, separator], budget) => join(list!, separator!, budget),
  ...TIME_METHODS,
}

/** A method of a string all of whose arguments are strings. */
function texts(
  name: string,
  call: (text: string, args: readonly string[], budget: Budget) => Value,
): Callable {
  return (args, budget) => {
    for (const arg of args) {
      if (typeof arg !== 'string') throw new Fault(`${name}() needs a string, not ${article(arg)}`)
      budget.spend(stepsOfText(arg.length))
    }
    const [text, ...rest] = args as readonly string[]
    return call(text!, rest, budget)
  }
}

function sizeOf(value: Value, budget: Budget): bigint {
  if (typeof value === 'string') return BigInt(codePoints(value, budget).length)
  if (Array.isArray(value)) return BigInt(value.length)
  if (isMap(value)) return BigInt(keysOf(value, budget).length)
  throw new Fault(`size() needs a string, a list or a map, not ${article(value)}`)
}

function stringOf(value: Value): string {
  if (value === null || Array.isArray(value) || isMap(value)) {
    throw new Fault(`string() cannot take ${article(value)}`)
  }
  return scalarText(value)
}

function intOf(value: Value): bigint {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number' && Math.abs(value) < 2 ** 63) return BigInt(Math.trunc(value))
  if (typeof value === 'string' && /^[+-]?\d{1,19}$/.test(value)) {
    const int = BigInt(value.replace(/^\+/, ''))
    if (BigInt.asIntN(64, int) === int) return int
  }
  if (value instanceof Date) return BigInt(Math.floor(value.getTime() / 1_000))
  throw new Fault(`int() cannot take ${shown(value)}`)
}

function doubleOf(value: Value): number {
  if (typeof value === 'bigint' || typeof value === 'number') return Number(value)
  if (typeof value === 'string' && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)) {
    return Number(value)
  }
  throw new Fault(`double() cannot take ${shown(value)}`)
}

function boolOf(value: Value): boolean {
  if (typeof value === 'boolean') return value
  if (value === 'true' || value === 'false') return value === 'true'
  throw new Fault(`bool() cannot take ${shown(value)}`)
}

/** Values of events may be private, so a message says what kind of thing it is and not which. */
function shown(value: Value): string {
  return typeof value === 'string' ? 'this string' : article(value)
}

function substring(text: Value, start: Value, end: Value | undefined, budget: Budget): string {
  if (typeof text !== 'string') throw new Fault(`substring() needs a string, not ${article(text)}`)
  const points = codePoints(text, budget)
  const from = indexOf(start)
  const to = end === undefined ? points.length : indexOf(end)
  if (from < 0 || to < from || to > points.length) {
    throw new Fault(`substring() from ${from} to ${to} is outside the ${points.length} characters`)
  }
  return points.slice(from, to).join('')
}

/** Ints and doubles without a fraction, since every JSON number is a double. */
export function indexOf(value: Value): number {
  const index = typeof value === 'bigint' ? Number(value) : value
  if (typeof index === 'number' && Number.isInteger(index)) return index
  throw new Fault(`an index must be a whole number, not ${article(value)}`)
}

function join(list: Value, separator: Value, budget: Budget): string {
  if (!Array.isArray(list)) throw new Fault(`join() needs a list, not ${article(list)}`)
  if (typeof separator !== 'string') {
    throw new Fault(`join() needs a string, not ${article(separator)}`)
  }
  for (const item of list) {
    if (typeof item !== 'string') {
      throw new Fault(`join() needs a list of strings, not one with ${article(item)}`)
    }
    budget.spend(stepsOfText(item.length + separator.length))
  }
  return list.join(separator)
}

/** Strings count in Unicode characters, not in halves of surrogate pairs. */
function codePoints(text: string, budget: Budget): string[] {
  budget.spend(1 + (text.length >> 2))
  return Array.from(text)
}

/** From an offset in UTF-16 to one in characters; -1 stays. */
function positionOf(text: string, offset: number): bigint {
  return offset < 0 ? -1n : BigInt(Array.from(text.slice(0, offset)).length)
}

export function keysOf(map: { [key: string]: Value }, budget: Budget): string[] {
  const keys = Object.keys(map)
  budget.spend(keys.length)
  return keys
}

const patterns = new LRUCache<string, RE2JS>({ max: MAX_CACHED_PATTERNS })

/** RE2, because JavaScript's own engine may need exponential time. Throws a `Fault` on a pattern it does not take. */
export function patternOf(pattern: string, position?: number): RE2JS {
  const known = patterns.get(pattern)
  if (known) return known
  if (pattern.length > MAX_PATTERN_CHARS) {
    throw new Fault(`a pattern may have at most ${MAX_PATTERN_CHARS} characters`, { position })
  }
  const compiled = compilePattern(pattern, position)
  if (compiled.programSize() > MAX_PATTERN_SIZE) {
    throw new Fault('the pattern repeats too much', { position })
  }
  patterns.set(pattern, compiled)
  return compiled
}

function compilePattern(pattern: string, position: number | undefined): RE2JS {
  try {
    return RE2JS.compile(pattern)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Fault(`the pattern is not valid: ${reason}`, { position })
  }
}

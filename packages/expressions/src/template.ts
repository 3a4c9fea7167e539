/**
 * A template: JSON whose strings may hold expressions. A string that is one expression takes the value with its type;
 * in a longer string values become text. Keys of objects are not templates.
 */
import type { Json } from '@signalbox/contracts'
import { formatPath, InvalidInputError } from '@signalbox/kit'
import { LRUCache } from 'lru-cache'
import { type Budget, createBudget } from './budget.ts'
import { type Expression, expressionOf, type Scope } from './expression.ts'
import { evaluating, Fault, invalidExpression, shortened } from './fault.ts'
import type { Reference } from './references.ts'
import { type Part, partsOf } from './template-text.ts'
import { toJson, toText } from './value.ts'

export interface Template {
  /**
   * The value with every expression replaced. Parts without expressions are the given value itself, not copies. Throws
   * `AppError` `SB_EVALUATION` (not retryable) that names the field and the expression.
   */
  resolve(scope: Scope): Json
  readonly references: readonly Reference[]
}

const MAX_DEPTH = 32
const MAX_VALUES = 10_000
const MAX_CACHED_CHARS = 4 * 1024 * 1024

type Path = readonly (string | number)[]
type Resolver = (scope: Scope, budget: Budget) => Json

const textParts = new LRUCache<string, readonly Part[]>({
  max: 10_000,
  maxSize: MAX_CACHED_CHARS,
  sizeCalculation: (_parts, text) => text.length + 1,
})

/** Throws `InvalidInputError` `SB_INVALID_EXPRESSION`; each detail's path is the field: `body`, `nested.list[2]`. */
export function compileTemplate(value: Json): Template {
  const references = new Map<string, Reference>()
  let values = 0

  /** Undefined: nothing in it is to be resolved. */
  const compile = (part: Json, path: Path): Resolver | undefined => {
    values += 1
    if (values > MAX_VALUES) throw tooBig(`it has more than ${MAX_VALUES} values`, path)
    if (path.length > MAX_DEPTH) throw tooBig(`it is nested deeper than ${MAX_DEPTH} levels`, path)
    if (typeof part === 'string') return compileText(part, path)
    if (Array.isArray(part)) return compileList(part, path)
    return typeof part === 'object' && part !== null ? compileObject(part, path) : undefined
  }

  const compileList = (list: readonly Json[], path: Path): Resolver | undefined => {
    const items = list.map((item, index) => compile(item, [...path, index]))
    if (items.every((item) => item === undefined)) return undefined
    return (scope, budget) =>
      list.map((item, index) => {
        const resolve = items[index]
        return resolve ? resolve(scope, budget) : item
      })
  }

  const compileObject = (
    object: Readonly<Record<string, Json>>,
    path: Path,
  ): Resolver | undefined => {
    const fields = Object.entries(object).map(
      ([key, item]) => [key, item, compile(item, [...path, key])] as const,
    )
    if (fields.every(([, , resolve]) => resolve === undefined)) return undefined
    return (scope, budget) =>
      Object.fromEntries(
        fields.map(([key, item, resolve]) => [key, resolve ? resolve(scope, budget) : item]),
      )
  }

  const compileText = (text: string, path: Path): Resolver | undefined => {
    if (!text.includes('${{')) return undefined
    const field = formatPath(path)
    const parts = located(text, field, () => cachedParts(text)).map((part) => {
      if ('literal' in part) return part.literal
      const expression = located(part.expression, field, () => expressionOf(part.expression))
      for (const reference of expression.references) {
        references.set(JSON.stringify(reference), reference)
      }
      return expression
    })
    return resolverOf(parts, field)
  }

  const resolve = compile(value, [])
  return {
    references: [...references.values()],
    resolve: (scope) => (resolve ? resolve(scope, createBudget()) : value),
  }
}

function resolverOf(parts: readonly (string | Expression)[], field: string): Resolver {
  const [only, ...others] = parts
  if (typeof only === 'object' && others.length === 0) {
    return (scope, budget) =>
      evaluating(only.text, field, () => toJson(only.evaluate(scope, budget), budget))
  }
  return (scope, budget) =>
    parts
      .map((part) =>
        typeof part === 'string'
          ? part
          : evaluating(part.text, field, () => toText(part.evaluate(scope, budget), budget)),
      )
      .join('')
}

function cachedParts(text: string): readonly Part[] {
  const known = textParts.get(text)
  if (known) return known
  const parts = partsOf(text)
  textParts.set(text, parts)
  return parts
}

function located<Result>(text: string, field: string, compile: () => Result): Result {
  try {
    return compile()
  } catch (error) {
    throw error instanceof Fault ? invalidExpression(text, field, error) : error
  }
}

function tooBig(reason: string, path: Path): InvalidInputError {
  return new InvalidInputError(`the template is too big: ${reason}`, {
    code: 'SB_INVALID_EXPRESSION',
    details: [{ path: shortened(formatPath(path)), message: reason }],
  })
}

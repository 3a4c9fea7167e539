/** One expression, parsed once: what conditions and templates are made of. */
import type { Json, VumiApiEvent } from '@signalbox/contracts'
import { LRUCache } from 'lru-cache'
import type { Budget } from './budget.ts'
import { compile } from './program.ts'
import { type Reference, referencesOf } from './references.ts'
import { parse, ROOTS } from './syntax.ts'
import type { Value } from './value.ts'

/** What an expression sees. `results` and `error` exist in steps only; absent, they read as an empty map and as null. */
export interface Scope {
  event: VumiApiEvent
  /** Output by step id. */
  results?: Readonly<Record<string, Json>>
  /** The last failure that did not stop the run. */
  error?: { step_id: string; code: string; message: string }
}

export interface Expression {
  readonly text: string
  /** The static type; `dyn` when only the event will tell. */
  readonly type: string
  readonly references: readonly Reference[]
  /** Throws a `Fault`. */
  evaluate(scope: Scope, budget: Budget): Value
}

/** Compiled, a character takes about 100 bytes: at most 50 MB, and some 8,000 expressions of ordinary length. */
const MAX_CACHED_CHARS = 512 * 1024
const cache = new LRUCache<string, Expression>({
  max: 10_000,
  maxSize: MAX_CACHED_CHARS,
  sizeCalculation: (_expression, text) => text.length,
})

/** Compiled once per text and process. Throws a `Fault`; failures are not kept. */
export function expressionOf(text: string): Expression {
  const known = cache.get(text)
  if (known) return known
  const { ast, type } = parse(text)
  const program = compile(ast, new Set(ROOTS))
  const expression: Expression = {
    text,
    type,
    references: referencesOf(ast),
    evaluate: (scope, budget) => program({ budget, variables: variablesOf(scope) }),
  }
  cache.set(text, expression)
  return expression
}

function variablesOf({ event, results, error }: Scope): ReadonlyMap<string, Value> {
  return new Map<string, Value>([
    ['event', event as Value],
    ['results', (results ?? {}) as Value],
    ['error', error ?? null],
  ])
}

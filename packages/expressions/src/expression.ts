/** One expression, parsed once: what conditions and templates are made of. */
import type { Json, VumiApiEvent } from '@signalbox/contracts'
import { LRUCache } from 'lru-cache'
import type { Budget } from './budget.ts'
import { Fault } from './fault.ts'
import { compile, type Program } from './program.ts'
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

const MAX_CACHED = 10_000
const cache = new LRUCache<string, Expression>({ max: MAX_CACHED })

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
    evaluate: (scope, budget) => run(program, scope, budget),
  }
  cache.set(text, expression)
  return expression
}

function run(program: Program, scope: Scope, budget: Budget): Value {
  const variables = new Map<string, Value>([
    ['event', scope.event as Value],
    ['results', (scope.results ?? {}) as Value],
    ['error', scope.error ?? null],
  ])
  try {
    return program({ budget, variables })
  } catch (error) {
    if (error instanceof RangeError) throw new Fault('it is nested too deeply')
    throw error
  }
}

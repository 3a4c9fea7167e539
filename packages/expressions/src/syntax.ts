/**
 * From text to a checked syntax tree. Grammar and types are the CEL library's; evaluation is ours (`program.ts`), because the
 * library's own cannot be bounded: its macros and operators run for as long as the data are large.
 */
import {
  type ASTNode,
  TypeError as CelTypeError,
  Environment,
  EvaluationError,
  ParseError,
} from '@marcbachmann/cel-js'
import { LIMITS } from '@signalbox/contracts'
import { Fault } from './fault.ts'

export type { ASTNode }

/** What an expression can name. */
export const ROOTS = ['event', 'results', 'error'] as const

const checker = new Environment({
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: 1_000, maxDepth: 64, maxListElements: 500, maxMapEntries: 500 },
})
  .registerVariable('event', 'map<string, dyn>')
  .registerVariable('results', 'map<string, dyn>')
  .registerVariable('error', 'dyn')
  .registerFunction('string.replace(string, string): string', neverCalled)
  .registerFunction('int(google.protobuf.Timestamp): int', neverCalled)
  .registerFunction('string(google.protobuf.Timestamp): string', neverCalled)
  .registerFunction('string(google.protobuf.Duration): string', neverCalled)
for (const sign of ['+', '-', '*', '/', '%']) {
  checker.registerOperator(`int ${sign} double: double`, neverCalled)
  checker.registerOperator(`double ${sign} int: double`, neverCalled)
}
checker.registerOperator('double % double: double', neverCalled)
checker.registerOperator('int == double: bool', neverCalled)

export interface Syntax {
  ast: ASTNode
  /** The type as CEL names it; `dyn` when only the event will tell. */
  type: string
}

/** Throws a `Fault` with the position. Bounded in length, nodes and depth. */
export function parse(text: string): Syntax {
  if (text.length > LIMITS.maxExpressionChars) {
    throw new Fault(
      `it has ${text.length} characters; at most ${LIMITS.maxExpressionChars} are allowed`,
    )
  }
  if (text.trim() === '') throw new Fault('it is empty')
  try {
    const parsed = checker.parse(text)
    const check = parsed.check()
    if (!check.valid) throw check.error
    return { ast: parsed.ast, type: check.type ?? 'dyn' }
  } catch (error) {
    throw faultOf(error)
  }
}

/** n.b. the checker throws plain errors, too, where overloads overlap (`[].all(x, x > 1)`). */
function faultOf(error: unknown): Fault {
  if (error instanceof RangeError) return new Fault('it is nested too deeply')
  const isLocated =
    error instanceof ParseError || error instanceof CelTypeError || error instanceof EvaluationError
  if (!isLocated) return new Fault(error instanceof Error ? error.message : String(error))
  const hint = error.code === 'unknown_variable' ? `; available are ${ROOTS.join(', ')}` : ''
  const reason = error.summary.charAt(0).toLowerCase() + error.summary.slice(1)
  return new Fault(`${reason}${hint}`, { position: error.range?.start })
}

/** The checker wants a handler with each overload; nothing is ever evaluated with it. */
function neverCalled(): never {
  throw new Error('the checker does not evaluate')
}

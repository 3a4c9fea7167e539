/** A condition: an expression that is true or false. */
import { createBudget } from './budget.ts'
import { type Expression, expressionOf, type Scope } from './expression.ts'
import { evaluating, Fault, invalidExpression } from './fault.ts'
import type { Reference } from './references.ts'
import { article } from './value.ts'

export interface Condition {
  /**
   * Throws `AppError` `SB_EVALUATION` (not retryable) when it cannot be answered: a field is missing, types do not fit, it takes
   * too many steps, or what comes out is not a bool. A missing field is an error and not false, because a
   * misspelt field would otherwise switch a chain off without a word. `maxSteps`: how much it may cost; default 200,000.
   */
  evaluate(scope: Scope, options?: { maxSteps?: number }): boolean
  readonly references: readonly Reference[]
}

/** Throws `InvalidInputError` `SB_INVALID_EXPRESSION` with the position. Cached by text. */
export function compileCondition(text: string): Condition {
  const expression = compiled(text)
  return {
    references: expression.references,
    evaluate: (scope, { maxSteps } = {}) =>
      evaluating(text, '', () => {
        const value = expression.evaluate(scope, createBudget(maxSteps))
        if (typeof value === 'boolean') return value
        throw new Fault(`a condition must be true or false, and it is ${article(value)}`)
      }),
  }
}

function compiled(text: string): Expression {
  try {
    const expression = expressionOf(text)
    if (expression.type !== 'bool' && expression.type !== 'dyn') {
      throw new Fault(`a condition must be true or false, and it is of type ${expression.type}`)
    }
    return expression
  } catch (error) {
    throw error instanceof Fault ? invalidExpression(text, '', error) : error
  }
}

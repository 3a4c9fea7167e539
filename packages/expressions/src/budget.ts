/**
 * What one evaluation may cost. Expressions come from accounts and run inside the dispatcher, so their work is counted, not
 * timed: the same expression over the same event ends the same way on every machine.
 */
import { Fault } from './fault.ts'

/** Steps of one `evaluate` or `resolve`: a step is one node evaluated, or one list element or 16 characters looked at. */
export const MAX_STEPS = 200_000
/** Characters that one `resolve` may produce, counted as JSON. */
export const MAX_RESOLVED_CHARS = 256 * 1024

export interface Budget {
  /** Throws a `Fault` when the steps are used up; `&&`, `||` and the macros do not absorb it. */
  spend(steps: number): void
  /** The same for characters of output. */
  produce(chars: number): void
}

export function createBudget(maxSteps = MAX_STEPS, maxChars = MAX_RESOLVED_CHARS): Budget {
  let steps = maxSteps
  let chars = maxChars
  return {
    spend(amount) {
      steps -= amount
      if (steps < 0) throw new Fault(`it takes more than ${maxSteps} steps`, { isFinal: true })
    },
    produce(amount) {
      chars -= amount
      if (chars < 0) {
        throw new Fault(`the result is longer than ${maxChars} characters`, { isFinal: true })
      }
    },
  }
}

/** The steps that looking at a text costs. */
export function stepsOfText(length: number): number {
  return 1 + (length >> 4)
}

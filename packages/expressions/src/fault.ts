/** Why an expression cannot be compiled or evaluated, and where; becomes an `AppError` at the package's edge. */
import { AppError, InvalidInputError } from '@signalbox/kit'

const MAX_QUOTED_CHARS = 200

export interface FaultOptions {
  /** Offset into the expression; filled in by the innermost node that knows it. */
  position?: number | undefined
  /** True: `false && …` and its like must not absorb it. */
  isFinal?: boolean
}

export class Fault extends Error {
  position: number | undefined
  readonly isFinal: boolean

  constructor(reason: string, options: FaultOptions = {}) {
    super(reason)
    this.position = options.position
    this.isFinal = options.isFinal ?? false
  }
}

/** `path`: the field that holds the expression; empty when it stands alone. */
export function invalidExpression(text: string, path: string, fault: Fault): InvalidInputError {
  const message = `not a valid expression: ${described(fault, text)}`
  return new InvalidInputError(at(path, message), {
    code: 'SB_INVALID_EXPRESSION',
    details: [{ path, message }],
  })
}

/**
 * Runs what may fault while evaluating. Not retryable: the same expression over the same scope fails again. A stack that overflows
 * is the data's fault, too: nothing but its depth is unbounded here.
 */
export function evaluating<Result>(text: string, path: string, run: () => Result): Result {
  try {
    return run()
  } catch (error) {
    const fault = error instanceof RangeError ? new Fault('the value is nested too deeply') : error
    if (!(fault instanceof Fault)) throw error
    const message = `cannot be evaluated: ${described(fault, text)}`
    throw new AppError('SB_EVALUATION', at(path, message), {
      retryable: false,
      details: [{ path, message }],
    })
  }
}

export function shortened(text: string): string {
  return text.length <= MAX_QUOTED_CHARS ? text : `${text.slice(0, MAX_QUOTED_CHARS)}…`
}

function described({ message, position }: Fault, text: string): string {
  const where = position === undefined ? 'in' : `at character ${position + 1} of`
  return `${message}; ${where}: ${shortened(text)}`
}

function at(path: string, message: string): string {
  return path === '' ? message : `${path}: ${message}`
}

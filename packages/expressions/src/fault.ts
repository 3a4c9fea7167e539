/** Why an expression cannot be compiled or evaluated, and where; becomes an error of the catalogue at the package's edge. */
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
  const message = `"${shortened(text)}" is not a valid expression: ${reasonOf(fault)}`
  return new InvalidInputError(message, {
    code: 'SB_INVALID_EXPRESSION',
    details: [{ path, message }],
  })
}

/** Not retryable: the same expression over the same scope fails again. */
export function evaluationFailed(text: string, path: string, fault: Fault): AppError {
  const message = `"${shortened(text)}" could not be evaluated: ${reasonOf(fault)}`
  return new AppError('SB_EVALUATION', message, { retryable: false, details: [{ path, message }] })
}

export function shortened(text: string): string {
  return text.length <= MAX_QUOTED_CHARS ? text : `${text.slice(0, MAX_QUOTED_CHARS)}…`
}

function reasonOf({ message, position }: Fault): string {
  return position === undefined ? message : `${message}, at character ${position + 1}`
}

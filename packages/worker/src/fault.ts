/**
 * What goes wrong in a handler, and how it reads on the wire.
 *
 * | thrown          | code                | retryable            |
 * | --------------- | ------------------- | -------------------- |
 * | `HandlerError`  | its own             | as it says           |
 * | `AppError`      | its own (`SB_…`)    | as it says           |
 * | anything else   | `SB_HANDLER_FAILED` | yes: nobody knows    |
 */
import type { StepError } from '@signalbox/contracts'
import { AppError } from '@signalbox/kit'

const MAX_CODE_CHARS = 64
const MAX_MESSAGE_CHARS = 1_000
const MAX_RETRY_AFTER_MS = 24 * 60 * 60 * 1_000

export interface HandlerErrorOptions {
  /** For conditions (`error.code`) and people; 1 to 64 characters. `SB_…` is Signalbox's own. */
  code: string
  /** Shown in biographies and dead letters; bounded to 1,000 characters. No secrets. */
  message: string
  /** False: trying again cannot help. Default true. */
  retryable?: boolean
  /** The earliest that trying again makes sense, in milliseconds; at most a day counts. */
  retryAfterMs?: number | undefined
  cause?: unknown
}

/** How a handler says what failed. */
export class HandlerError extends Error {
  readonly code: string
  readonly retryable: boolean
  readonly retryAfterMs: number | undefined

  constructor({ code, message, retryable = true, retryAfterMs, cause }: HandlerErrorOptions) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'HandlerError'
    this.code = code
    this.retryable = retryable
    this.retryAfterMs = retryAfterMs
  }
}

export function stepErrorOf(error: unknown): StepError {
  if (error instanceof HandlerError) {
    return {
      code: error.code.slice(0, MAX_CODE_CHARS) || 'SB_HANDLER_FAILED',
      message: bounded(error.message),
      retryable: error.retryable,
      ...retryAfterOf(error.retryAfterMs),
    }
  }
  if (error instanceof AppError) {
    return { code: error.code, message: bounded(error.message), retryable: error.retryable }
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return { code: 'SB_HANDLER_FAILED', message: bounded(message), retryable: true }
}

/** On the wire: whole milliseconds, a day at most; nothing when there is no time in it. */
export function retryAfterOf(retryAfterMs: number | undefined): { retry_after_ms?: number } {
  if (retryAfterMs === undefined || !(retryAfterMs >= 0)) return {}
  return { retry_after_ms: Math.ceil(Math.min(retryAfterMs, MAX_RETRY_AFTER_MS)) }
}

function bounded(message: string): string {
  return message.length <= MAX_MESSAGE_CHARS ? message : `${message.slice(0, MAX_MESSAGE_CHARS)}…`
}

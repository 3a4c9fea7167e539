/**
 * The errors of every process: a closed list of codes, and one class per reaction to them.
 *
 * docs/errors.md says for each code when it occurs and what to do; a test holds that page to this list both ways.
 */
import type { FieldError } from '@signalbox/contracts'

/** Code -> the HTTP status it is answered with where there is somebody to answer. */
export const ERROR_CODES = {
  SB_INVALID_INPUT: 400,
  SB_INVALID_JSON: 400,
  SB_INVALID_EXPRESSION: 400,
  SB_INVALID_CHAIN: 400,
  SB_ADDRESS_REFUSED: 400,
  SB_UNAUTHENTICATED: 401,
  SB_FORBIDDEN: 403,
  SB_NOT_FOUND: 404,
  SB_UNKNOWN_ACTION: 404,
  SB_CONFLICT: 409,
  SB_TOO_LARGE: 413,
  SB_UNSUPPORTED_MEDIA_TYPE: 415,
  SB_TOO_MANY: 429,
  SB_INTERNAL: 500,
  SB_CONFIG: 500,
  SB_SEALED: 500,
  SB_UNAVAILABLE: 503,
  SB_BROKER_UNAVAILABLE: 503,
  SB_STORE_UNAVAILABLE: 503,
  SB_INVALID_MESSAGE: 422,
  SB_UNKNOWN_HANDLER: 422,
  SB_UNKNOWN_WORKER: 422,
  SB_UNKNOWN_COMMAND: 422,
  SB_HANDLER_CONFIG: 422,
  SB_HANDLER_OUTPUT: 422,
  SB_HANDLER_FAILED: 422,
  SB_EVALUATION: 422,
  SB_HOP_LIMIT: 422,
  SB_DELIVERY_LIMIT: 422,
  SB_DEFERRAL_LIMIT: 422,
  /** A warning in the answer to a chain that was saved. */
  SB_POSSIBLE_LOOP: 200,
} as const

export type ErrorCode = keyof typeof ERROR_CODES

export interface AppErrorOptions {
  /** The field errors, or other facts that help; no secrets: they are answered and logged. */
  details?: readonly FieldError[]
  cause?: unknown
}

/** An error that names what went wrong by code; `retryable` says whether the same thing may succeed later. */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly details: readonly FieldError[]

  constructor(code: ErrorCode, message: string, options: AppErrorOptions & { retryable: boolean }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.retryable = options.retryable
    this.details = options.details ?? []
  }

  get status(): number {
    return ERROR_CODES[this.code]
  }
}

/** What was sent is wrong; sending it again cannot help. */
export class InvalidInputError extends AppError {
  constructor(message: string, options: AppErrorOptions & { code?: ErrorCode } = {}) {
    super(options.code ?? 'SB_INVALID_INPUT', message, { ...options, retryable: false })
  }
}

/** What is needed cannot be reached now; the same thing may succeed later. */
export class UnavailableError extends AppError {
  constructor(message: string, options: AppErrorOptions & { code?: ErrorCode } = {}) {
    super(options.code ?? 'SB_UNAVAILABLE', message, { ...options, retryable: true })
  }
}

/** It contradicts what is there already. */
export class ConflictError extends AppError {
  constructor(message: string, options: AppErrorOptions = {}) {
    super('SB_CONFLICT', message, { ...options, retryable: false })
  }
}

/** As many as may be are there already; what is there stays. */
export class TooManyError extends AppError {
  constructor(message: string, options: AppErrorOptions = {}) {
    super('SB_TOO_MANY', message, { ...options, retryable: false })
  }
}

/** There is no such thing, or not for this caller. */
export class NotFoundError extends AppError {
  constructor(message: string, options: AppErrorOptions = {}) {
    super('SB_NOT_FOUND', message, { ...options, retryable: false })
  }
}

/** The caller is not who may do this. */
export class AuthError extends AppError {
  constructor(
    code: 'SB_UNAUTHENTICATED' | 'SB_FORBIDDEN',
    message: string,
    options: AppErrorOptions = {},
  ) {
    super(code, message, { ...options, retryable: false })
  }
}

/** The process was configured wrongly and must not start. */
export class ConfigError extends AppError {
  constructor(message: string, options: AppErrorOptions = {}) {
    super('SB_CONFIG', message, { ...options, retryable: false })
  }
}

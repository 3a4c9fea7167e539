/** What goes wrong, by the codes of docs/errors.md. */
import type { SocketAnswer } from './wire.ts'

export interface SignalboxErrorOptions {
  /** The same thing may succeed later; default false. */
  retryable?: boolean
  /** Of the answer, or of the refusal of a socket. */
  status?: number | undefined
  /** The field that the edge named. */
  path?: string | undefined
  /** The code that the socket was closed with. */
  closeCode?: number | undefined
  cause?: unknown
}

export class SignalboxError extends Error {
  override readonly name = 'SignalboxError'
  readonly code: string
  readonly retryable: boolean
  readonly status: number | undefined
  readonly path: string | undefined
  readonly closeCode: number | undefined

  constructor(code: string, message: string, options: SignalboxErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
    this.status = options.status
    this.path = options.path
    this.closeCode = options.closeCode
  }
}

/** Of an answer that is not 200. Too many requests, and what is the edge's own trouble, may succeed later. */
export function errorOf({ errors, status }: SocketAnswer): SignalboxError {
  const [first] = errors
  return new SignalboxError(
    first?.code ?? 'SB_INTERNAL',
    errors.map(({ message }) => message).join('; ') || `the edge answered ${status}`,
    { status, path: first?.path, retryable: status === 429 || status >= 500 },
  )
}

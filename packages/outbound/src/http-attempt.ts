/**
 * One request, from its being handed to a pool to the end that is told.
 *
 * States: *queued* (for a connection), *sent*, *answered* (the status is there, and decides), *settled*. One timer bounds all of them; when the
 * status comes it is set anew to what the body may take. What the body does after the status (nothing, too much, for ever, a reset) changes
 * nothing but the excerpt, and costs the connection.
 */
import type { Dispatcher } from 'undici'
import type { Connection, OnClient } from './origin-client.ts'

export type HttpEnd =
  | {
      kind: 'answered'
      status: number
      retryAfter: string | undefined
      excerpt: Buffer
      connection: Connection | undefined
    }
  | { kind: 'timed_out'; phase: 'connect' | 'response'; connection: Connection | undefined }
  | {
      kind: 'failed'
      error: Error
      /** It broke on a connection that had served before, before any answer: as a server does that closes an idle connection just then. */
      isStale: boolean
      connection: Connection | undefined
    }

export interface HttpAttemptOptions {
  timeoutMs: number
  /** For the body, after the status; never beyond `timeoutMs`. */
  bodyTimeoutMs: number
  /** Read at most; beyond it the connection is closed. */
  maxResponseBytes: number
  excerptBytes: number
}

/** Errors that a connection gives when the other side has closed it. */
const CLOSED_BY_PEER: ReadonlySet<unknown> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])

const DROPPED = new Error('the rest of the answer is not read')
const TOO_LATE = new Error('the request ended before it was sent')

export class HttpAttempt implements Dispatcher.DispatchHandler, OnClient {
  client: OnClient['client']
  readonly #options: HttpAttemptOptions
  readonly #settle: (end: HttpEnd) => void
  readonly #startedAtMs = performance.now()
  #timer: NodeJS.Timeout
  #controller: Dispatcher.DispatchController | undefined
  #isSettled = false
  #status: number | undefined
  #retryAfter: string | undefined
  #bytes = 0
  #chunks: Buffer[] = []

  /** `settle` is called once. */
  constructor(options: HttpAttemptOptions, settle: (end: HttpEnd) => void) {
    this.#options = options
    this.#settle = settle
    this.#timer = setTimeout(() => this.#expire(), options.timeoutMs)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#isSettled) controller.abort(TOO_LATE)
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // n.b. 1xx come here too; the answer is what follows them.
    if (this.#isSettled || status < 200) return
    this.#status = status
    const retryAfter = headers['retry-after']
    this.#retryAfter = Array.isArray(retryAfter) ? retryAfter[0] : retryAfter
    const { timeoutMs, bodyTimeoutMs } = this.#options
    const remainingMs = timeoutMs - (performance.now() - this.#startedAtMs)
    if (remainingMs <= bodyTimeoutMs) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#expire(), bodyTimeoutMs)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isSettled) return
    const { excerptBytes, maxResponseBytes } = this.#options
    const wanted = excerptBytes - this.#bytes
    // n.b. copied: a part of a chunk keeps the whole of it in memory, for as long as the excerpt lives.
    if (wanted > 0) this.#chunks.push(Buffer.from(chunk.subarray(0, wanted)))
    this.#bytes += chunk.length
    if (this.#bytes <= maxResponseBytes) return
    this.#end()
    controller.abort(DROPPED)
  }

  onResponseEnd(): void {
    const connection = this.client?.connection
    if (connection) connection.answers += 1
    this.#end()
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#end(error)
  }

  #expire(): void {
    const connection = this.client?.connection
    if (this.#status === undefined) {
      const phase = this.#controller ? 'response' : 'connect'
      this.#finish({ kind: 'timed_out', phase, connection })
    } else {
      this.#end()
    }
    this.#controller?.abort(DROPPED)
  }

  #end(error: Error = new Error('the answer had no status')): void {
    const connection = this.client?.connection
    if (this.#status !== undefined) {
      this.#finish({
        kind: 'answered',
        status: this.#status,
        retryAfter: this.#retryAfter,
        excerpt: Buffer.concat(this.#chunks),
        connection,
      })
      return
    }
    const { code } = error as { code?: unknown }
    const hasServed = connection !== undefined && connection.answers > 0
    const isStale = this.#controller !== undefined && hasServed && CLOSED_BY_PEER.has(code)
    this.#finish({ kind: 'failed', error, isStale, connection })
  }

  #finish(end: HttpEnd): void {
    if (this.#isSettled) return
    this.#isSettled = true
    clearTimeout(this.#timer)
    this.#chunks = []
    this.#settle(end)
  }
}

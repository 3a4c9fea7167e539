/**
 * How one attempt to deliver a callback ends, over HTTP and over AMQP.
 *
 * | outcome       | is                                                                                        | retryable           |
 * | ------------- | ----------------------------------------------------------------------------------------- | ------------------- |
 * | `delivered`   | HTTP: a 2xx status. AMQP: confirmed and routed.                                           |                     |
 * | `refused`     | HTTP: any other status, redirects too. AMQP: unroutable, no such exchange, not permitted. | yes, unless `isGone` |
 * | `unreachable` | No connection, TLS that cannot be trusted, or a connection that broke before an answer.   | yes                 |
 * | `timed_out`   | No connection or no answer in time.                                                       | yes                 |
 * | `forbidden`   | It may not be sent: its URL, its headers or the address behind its name.                  | the address only    |
 *
 * What is retryable may succeed at another time without anybody changing the listener; how often and when is the caller's to decide.
 */

interface Attempted {
  /** From the call to the end, in whole milliseconds. */
  readonly durationMs: number
  /** The IP address that was connected to; absent when there was no connection. */
  readonly address?: string
}

export interface Delivered extends Attempted {
  readonly outcome: 'delivered'
  /** Of HTTP. */
  readonly status?: number
  readonly responseExcerpt?: string
}

export interface Refused extends Attempted {
  readonly outcome: 'refused'
  /** `HTTP_<status>`, or one of AMQP's: see `AmqpRefusal`. */
  readonly code: string
  readonly message: string
  /** Of HTTP. */
  readonly status?: number
  readonly retryable: boolean
  /** 410: the listener is to be disabled. */
  readonly isGone: boolean
  /** What the endpoint asked for, bounded; not before that. */
  readonly retryAfterMs?: number
  readonly responseExcerpt?: string
}

export interface Unreachable extends Attempted {
  readonly outcome: 'unreachable'
  /** Of the system, OpenSSL or undici: `ECONNREFUSED`, `ENOTFOUND`, `DEPTH_ZERO_SELF_SIGNED_CERT`, …; `CONNECTION_FAILED` without one. */
  readonly code: string
  readonly message: string
  readonly retryable: true
}

export interface TimedOut extends Attempted {
  readonly outcome: 'timed_out'
  readonly phase: 'connect' | 'response'
  readonly message: string
  readonly retryable: true
}

export interface Forbidden extends Attempted {
  readonly outcome: 'forbidden'
  readonly code: 'SB_INVALID_INPUT' | 'SB_ADDRESS_REFUSED'
  readonly message: string
  readonly retryable: boolean
}

export type DeliveryOutcome = Delivered | Refused | Unreachable | TimedOut | Forbidden

/**
 * Delivering over HTTP, to addresses that strangers chose.
 *
 * | what happens                                                             | outcome                                   |
 * | ------------------------------------------------------------------------ | ----------------------------------------- |
 * | 2xx, whatever comes after the status                                     | `delivered`                               |
 * | 410                                                                      | `refused`, `isGone`, not retryable        |
 * | any other status; redirects are not followed                             | `refused`, not before `Retry-After`       |
 * | no connection in time, no status in time                                 | `timed_out`, `connect` or `response`      |
 * | a name without address, a connection refused or reset, TLS not trusted   | `unreachable` with the code of the system |
 * | an address that may not be reached; a URL or header that cannot be sent  | `forbidden`                               |
 *
 * A connection that had served before and breaks before an answer is tried again at once, a single time: servers close idle connections
 * without looking. So an endpoint may get a request twice; `webhook-id` is the same.
 */
import { InvalidInputError, retryAfterMs } from '@signalbox/kit'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'undici'
import { type CallbackUrl, checkCallbackUrl } from './callback-url.ts'
import { type Bare, failed, leased, measured, timedOut, withoutUndefined } from './ending.ts'
import { createGuardedConnector, type GuardedConnectorDeps } from './guarded-connector.ts'
import { HttpAttempt, type HttpEnd } from './http-attempt.ts'
import { LeasePool } from './lease-pool.ts'
import { openOriginPool } from './origin-client.ts'
import type { DeliveryOutcome } from './outcome.ts'
import { checkCallbackHeaders } from './request-headers.ts'

export const CALLBACK_METHODS = ['POST', 'PUT', 'PATCH'] as const
export type CallbackMethod = (typeof CALLBACK_METHODS)[number]

const DEFAULTS = {
  connectTimeoutMs: 5_000,
  timeoutMs: 15_000,
  bodyTimeoutMs: 2_000,
  maxResponseBytes: 64 * 1024,
  excerptBytes: 1_024,
  maxRetryAfterMs: 24 * 3_600_000,
  maxOrigins: 1_000,
  connectionsPerOrigin: 16,
  keepAliveMs: 20_000,
  idleMs: 60_000,
}
const MAX_CHECKED_URLS = 1_000
const DEFAULT_USER_AGENT = 'Signalbox'

export interface HttpDeliveryOptions {
  /** Name look-up, TCP and TLS; default 5,000 ms, counted in steps of half a second. */
  connectTimeoutMs?: number | undefined
  /** From the call to the answer's status, waiting for a connection included; default 15,000 ms. A request may ask for less or more. */
  timeoutMs?: number | undefined
  /** For the answer's body after its status; default 2,000 ms. */
  bodyTimeoutMs?: number | undefined
  /** Read of an answer before its connection is closed; default 64 KiB. */
  maxResponseBytes?: number | undefined
  /** Kept of an answer; default 1 KiB. */
  excerptBytes?: number | undefined
  /** The longest `Retry-After` that is honoured; what is longer is cut to it. Default 24 hours. */
  maxRetryAfterMs?: number | undefined
  /** Origins with connections, at most; default 1,000. */
  maxOrigins?: number | undefined
  /** Default 16. */
  connectionsPerOrigin?: number | undefined
  /** How long an idle connection is kept; default 20,000 ms, less when the server says so. */
  keepAliveMs?: number | undefined
  /** How long an origin without requests is remembered; default 60,000 ms. */
  idleMs?: number | undefined
  /** Certificate authorities in PEM that are trusted besides those of Node. */
  ca?: readonly string[] | undefined
  /** Sent when a callback has no `user-agent` of its own; default `Signalbox`. */
  userAgent?: string | undefined
}

export interface HttpDeliveryDeps extends GuardedConnectorDeps {
  /** The wall clock, for `Retry-After` as a date; default `Date.now`. */
  now?(): number
}

export interface HttpCallback {
  /** Checked as by `checkCallbackUrl`, each time. */
  url: string
  method?: CallbackMethod | undefined
  /** Of the listener; checked as by `checkCallbackHeaders`. */
  headers?: Readonly<Record<string, string>> | undefined
  /** Of the caller itself, sent beside those and instead of them where names are the same: signatures, `traceparent`. In lower case; not checked. */
  ownHeaders?: Readonly<Record<string, string>> | undefined
  /** Sent as `application/json` unless the headers say otherwise. */
  body: string | Uint8Array
  /** Instead of the option. */
  timeoutMs?: number | undefined
}

export interface HttpDelivery extends AsyncDisposable {
  /** Never rejects: whatever happens is an outcome. */
  deliver(callback: HttpCallback): Promise<DeliveryOutcome>
  /** Origins that have a pool now. */
  readonly origins: number
  /** Closes every connection; what is under way ends as `unreachable`, so drain first. Idempotent; the same as disposing. */
  close(): Promise<void>
}

export function createHttpDelivery(
  given: HttpDeliveryOptions,
  deps: HttpDeliveryDeps,
): HttpDelivery {
  const options = { ...DEFAULTS, ...withoutUndefined(given) }
  const now = deps.now ?? Date.now
  const connect = createGuardedConnector({ ...options, maxTlsSessions: options.maxOrigins }, deps)
  const pools = new LeasePool<Pool>(
    { max: options.maxOrigins, idleMs: options.idleMs },
    { now: () => performance.now(), close: (pool) => pool.destroy() },
  )
  const checkedUrls = new LRUCache<string, CallbackUrl>({ max: MAX_CHECKED_URLS })
  const userAgent = options.userAgent ?? DEFAULT_USER_AGENT

  function deliver(callback: HttpCallback): Promise<DeliveryOutcome> {
    return measured(async (elapsedMs) => {
      const url = checkUrl(callback.url)
      const request = requestOf(url, callback, userAgent)
      const timeoutMs = callback.timeoutMs ?? options.timeoutMs
      const lease = pools.lease(url.origin, () => openOriginPool(url.origin, options, connect))
      return leased(lease, url.hostname, async (pool) => {
        let end = await attempt(pool, request, timeoutMs)
        const leftMs = timeoutMs - elapsedMs()
        if (end.kind === 'failed' && end.isStale && leftMs > 0) {
          end = await attempt(pool, request, leftMs)
        }
        const address = end.connection ? { address: end.connection.address } : {}
        return { ...outcomeOf(end, url, options.maxRetryAfterMs, now()), ...address }
      })
    })
  }

  function checkUrl(text: string): CallbackUrl {
    const known = checkedUrls.get(text)
    if (known) return known
    const url = checkCallbackUrl(text, deps.policy)
    checkedUrls.set(text, url)
    return url
  }

  function attempt(pool: Pool, request: HttpRequest, timeoutMs: number): Promise<HttpEnd> {
    return new Promise((resolve) => {
      pool.dispatch(request, new HttpAttempt({ ...options, timeoutMs }, resolve))
    })
  }

  const close = () => pools.close()
  return {
    deliver,
    get origins() {
      return pools.size
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

type HttpRequest = ReturnType<typeof requestOf>

function requestOf(url: CallbackUrl, callback: HttpCallback, userAgent: string) {
  const { method = 'POST', headers = {}, ownHeaders = {}, body } = callback
  if (!CALLBACK_METHODS.includes(method)) {
    throw new InvalidInputError(`the method must be ${CALLBACK_METHODS.join(', ')}`)
  }
  return {
    path: url.path,
    method,
    headers: {
      'content-type': 'application/json',
      'user-agent': userAgent,
      ...checkCallbackHeaders(headers),
      ...ownHeaders,
    },
    body: typeof body === 'string' ? Buffer.from(body) : body,
  }
}

function outcomeOf(
  end: HttpEnd,
  url: CallbackUrl,
  maxRetryAfterMs: number,
  nowMs: number,
): Bare<DeliveryOutcome> {
  const where = url.hostname
  if (end.kind === 'timed_out') return timedOut(end.phase, where)
  if (end.kind === 'failed') return failed(end.error, where)
  const { status } = end
  const excerpt = end.excerpt.length === 0 ? {} : { responseExcerpt: end.excerpt.toString('utf8') }
  if (status >= 200 && status < 300) return { outcome: 'delivered', status, ...excerpt }
  const waitMs = retryAfterMs(end.retryAfter, nowMs)
  return {
    outcome: 'refused',
    code: `HTTP_${status}`,
    message: `${where} answered ${status}${status < 400 ? '; redirects are not followed' : ''}`,
    status,
    retryable: status !== 410,
    isGone: status === 410,
    ...(waitMs === undefined ? {} : { retryAfterMs: Math.min(waitMs, maxRetryAfterMs) }),
    ...excerpt,
  }
}

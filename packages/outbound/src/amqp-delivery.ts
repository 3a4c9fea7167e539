/**
 * Delivering over AMQP: to an exchange of the account's choice, on a broker that it chose or on ours.
 *
 * | what happens                                                     | outcome                                                      |
 * | ---------------------------------------------------------------- | ------------------------------------------------------------ |
 * | confirmed and routed to a queue                                  | `delivered`                                                  |
 * | returned: no queue is bound for it                               | `refused`, `UNROUTABLE`                                      |
 * | no such exchange, or virtual host                                | `refused`, `NOT_FOUND`                                       |
 * | credentials or permissions that do not suffice                   | `refused`, `NOT_PERMITTED`                                   |
 * | the broker could not take it                                     | `refused`, `NOT_CONFIRMED`                                   |
 * | the broker ended the channel or the connection for another reason | `refused`, `AMQP_<code>`                                    |
 * | no connection in time, no confirm in time                        | `timed_out`, `connect` or `response`                         |
 * | no connection, TLS not trusted, a connection lost                | `unreachable`                                                |
 * | an address that may not be reached; what cannot be sent          | `forbidden`                                                  |
 *
 * All of `refused` is retryable: whoever owns the broker may bind a queue or correct a permission.
 */
import { type ForeignBroker, type ForeignEnd, openForeignBroker } from '@signalbox/broker/foreign'
import { InvalidInputError } from '@signalbox/kit'
import { createAddressPolicy } from './address-policy.ts'
import { type CallbackUrl, checkCallbackUrl } from './callback-url.ts'
import { type Bare, failed, leased, measured, timedOut, withoutUndefined } from './ending.ts'
import type { GuardedConnectorDeps } from './guarded-connector.ts'
import { dialGuarded } from './guarded-dial.ts'
import { LeasePool } from './lease-pool.ts'
import type { DeliveryOutcome } from './outcome.ts'
import { checkCallbackHeaders } from './request-headers.ts'
import { resolveBySystem } from './resolving.ts'

export const AMQP_SCHEMES = ['amqp:', 'amqps:'] as const

const DEFAULTS = {
  connectTimeoutMs: 5_000,
  timeoutMs: 15_000,
  maxBrokers: 100,
  idleMs: 60_000,
  namespace: 'signalbox',
}
const MAX_NAME_CHARS = 255
/** What RabbitMQ and its users do without credentials. */
const ANONYMOUS = { username: 'guest', password: 'guest' }

export interface AmqpCredentials {
  username: string
  password: string
}

export interface AmqpDeliveryOptions {
  /** Name look-up, TCP, TLS and AMQP's handshake; default 5,000 ms. */
  connectTimeoutMs?: number | undefined
  /** From the call to the confirm, connecting included; default 15,000 ms. A message may ask for less or more. */
  timeoutMs?: number | undefined
  /** Connections, at most; default 100. One for each broker, virtual host and user. */
  maxBrokers?: number | undefined
  /** How long a connection without messages is kept; default 60,000 ms. */
  idleMs?: number | undefined
  /** Certificate authorities in PEM that are trusted besides those of Node. */
  ca?: readonly string[] | undefined
  /** Our own broker (`AMQP_URL`), with its credentials: for callbacks without a URL. It is trusted: its address is not checked. */
  homeUrl?: string | undefined
  /** Of our exchanges on it, which callbacks may not publish to; default `signalbox`. */
  namespace?: string | undefined
}

export interface AmqpCallback {
  /** `amqps://host[:port][/vhost]`, checked as by `checkCallbackUrl`, each time; absent for our own broker. */
  url?: string | undefined
  credentials?: AmqpCredentials | undefined
  exchange: string
  routingKey: string
  /** The same at every attempt. */
  messageId: string
  /** What it is, as AMQP's `type`. */
  type?: string | undefined
  body: string | Uint8Array
  /** Default `application/json`. */
  contentType?: string | undefined
  /** Of the listener; checked as by `checkCallbackHeaders`. */
  headers?: Readonly<Record<string, string>> | undefined
  /** Of the caller itself, beside those and instead of them where names are the same: signatures, `traceparent`. Not checked. */
  ownHeaders?: Readonly<Record<string, string>> | undefined
  /** Instead of the option. */
  timeoutMs?: number | undefined
}

export interface AmqpDelivery extends AsyncDisposable {
  /** Never rejects: whatever happens is an outcome. */
  deliver(callback: AmqpCallback): Promise<DeliveryOutcome>
  /** Brokers that have a connection, or had one within `idleMs`. */
  readonly brokers: number
  /** Closes every connection; what is under way ends as `unreachable`, so drain first. Idempotent; the same as disposing. */
  close(): Promise<void>
}

/** Throws `InvalidInputError` when `homeUrl` is no AMQP URL. */
export function createAmqpDelivery(
  given: AmqpDeliveryOptions,
  deps: GuardedConnectorDeps,
): AmqpDelivery {
  const { homeUrl, ca, ...options } = { ...DEFAULTS, ...withoutUndefined(given) }
  const home = homeUrl === undefined ? undefined : homeTargetOf(homeUrl)
  const brokers = new LeasePool<ForeignBroker>(
    { max: options.maxBrokers, idleMs: options.idleMs },
    { now: () => performance.now(), close: (broker) => broker.close() },
  )

  function targetOf({ url, credentials = ANONYMOUS, exchange }: AmqpCallback): Target {
    checkCallbackExchange(exchange, url === undefined ? options.namespace : undefined)
    if (url !== undefined) {
      const checked = checkCallbackUrl(url, deps.policy, { schemes: AMQP_SCHEMES })
      return { url: checked, vhost: vhostOf(checked.path), ...credentials, deps }
    }
    if (home) return home
    throw new InvalidInputError('callbacks over AMQP need a URL here: there is no broker of ours')
  }

  function open({ url, vhost, username, password, deps: dialDeps }: Target): ForeignBroker {
    const { connectTimeoutMs } = options
    const isTls = url.scheme === 'amqps:'
    const dialTarget = { hostname: url.hostname, port: url.port, isTls, ca }
    return openForeignBroker(
      { name: 'signalbox callbacks', vhost, username, password, connectTimeoutMs },
      { dial: (signal) => dialGuarded(dialTarget, dialDeps, signal) },
    )
  }

  function deliver(callback: AmqpCallback): Promise<DeliveryOutcome> {
    return measured(async () => {
      const target = targetOf(callback)
      const message = messageOf(callback)
      const where = target.url.hostname
      const lease = brokers.lease(keyOf(target), () => open(target))
      return leased(lease, where, async (broker) => {
        const { address, ...end } = await broker.publish(
          message,
          callback.timeoutMs ?? options.timeoutMs,
        )
        return { ...outcomeOf(end, where), ...(address === undefined ? {} : { address }) }
      })
    })
  }

  const close = () => brokers.close()
  return {
    deliver,
    get brokers() {
      return brokers.size
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/**
 * Throws `InvalidInputError` when the exchange is longer than 255 characters or not printable. With `homeNamespace` it is one on our own
 * broker, where those of the namespace and those that every broker has (`amq.…`, and the default exchange, which leads to every queue) are refused.
 */
export function checkCallbackExchange(exchange: string, homeNamespace?: string): void {
  const refuse = (why: string): never => {
    throw new InvalidInputError(`the exchange cannot be used: ${why}`, {
      details: [{ path: 'exchange', message: why }],
    })
  }
  if (exchange.length > MAX_NAME_CHARS) refuse(`it is longer than ${MAX_NAME_CHARS} characters`)
  if (/\p{Cc}/u.test(exchange)) refuse('it holds control characters')
  if (homeNamespace === undefined) return
  const isOurs = exchange === homeNamespace || exchange.startsWith(`${homeNamespace}.`)
  const isOfEveryBroker = exchange === '' || exchange.startsWith('amq.')
  if (isOurs || isOfEveryBroker) refuse('it is not one that callbacks may publish to')
}

interface Target extends AmqpCredentials {
  url: Pick<CallbackUrl, 'scheme' | 'hostname' | 'port'>
  vhost: string
  deps: GuardedConnectorDeps
}

/** n.b. as JSON, so that no part can pass for another; it stays in memory, as what it is made of does. */
function keyOf({ url, vhost, username, password, deps }: Target): string {
  const isHome = deps.policy === EVERYWHERE
  return JSON.stringify([isHome, url.scheme, url.hostname, url.port, vhost, username, password])
}

/** For our own broker. */
const EVERYWHERE = createAddressPolicy({ allow: ['0.0.0.0/0', '::/0'], allowHttp: true })

function homeTargetOf(text: string): Target {
  const parsed = URL.parse(text)
  const scheme = AMQP_SCHEMES.find((one) => one === parsed?.protocol)
  if (!parsed || !scheme)
    throw new InvalidInputError("our broker's URL must be amqp:// or amqps://")
  const hostname = parsed.hostname.replace(/^\[|\]$/g, '')
  const port = Number(parsed.port) || (scheme === 'amqps:' ? 5_671 : 5_672)
  const hasUser = parsed.username !== '' || parsed.password !== ''
  const credentials = hasUser
    ? {
        username: decodeURIComponent(parsed.username),
        password: decodeURIComponent(parsed.password),
      }
    : ANONYMOUS
  const deps = { policy: EVERYWHERE, resolve: resolveBySystem }
  return { url: { scheme, hostname, port }, vhost: vhostOf(parsed.pathname), ...credentials, deps }
}

/** `/` and nothing at all are the default one. */
function vhostOf(path: string): string {
  const encoded = path.replace(/^\//, '')
  if (encoded === '') return '/'
  try {
    const vhost = decodeURIComponent(encoded)
    if (!encoded.includes('/') && vhost.length <= MAX_NAME_CHARS) return vhost
  } catch {
    // Not encoded as URLs are.
  }
  throw new InvalidInputError('the virtual host in the URL cannot be read: a / in it is %2F')
}

function messageOf(callback: AmqpCallback) {
  const { exchange, routingKey, messageId, type, body, contentType = 'application/json' } = callback
  return {
    exchange,
    routingKey,
    messageId,
    type,
    contentType,
    timestampMs: Date.now(),
    headers: { ...checkCallbackHeaders(callback.headers ?? {}), ...callback.ownHeaders },
    body: typeof body === 'string' ? Buffer.from(body) : body,
  }
}

const REFUSALS: Readonly<Record<number, string>> = {
  403: 'NOT_PERMITTED',
  404: 'NOT_FOUND',
  530: 'NOT_PERMITTED',
}

function outcomeOf(end: ForeignEnd, where: string): Bare<DeliveryOutcome> {
  switch (end.kind) {
    case 'routed':
      return { outcome: 'delivered' }
    case 'unroutable':
      return refused('UNROUTABLE', `${where}: unroutable, no queue is bound for the message`)
    case 'nacked':
      return refused('NOT_CONFIRMED', `${where}: the broker did not take the message`)
    case 'rejected': {
      const { replyCode, replyText } = end
      const code = REFUSALS[replyCode] ?? `AMQP_${replyCode}`
      return refused(code, `${where}: ${replyText.replace(/\p{Cc}/gu, ' ')}`)
    }
    case 'timed_out':
      return timedOut(end.phase, where)
    case 'failed':
      return failed(end.error, where)
  }
}

function refused(code: string, message: string): Bare<DeliveryOutcome> {
  return { outcome: 'refused', code, message, retryable: true, isGone: false }
}

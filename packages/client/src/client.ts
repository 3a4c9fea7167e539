/**
 * The client: one WebSocket at a time to one of the edges, opened again whenever it ends, and all subscriptions over it.
 *
 * - connecting: a token is asked for, a socket opened
 * - open: subscriptions are live, or being confirmed
 * - waiting: the socket ended, or none could be opened; another try comes after `retryInMs`
 * - closed: by `close()`, or by an error that will not go away: `error` says which
 *
 * How a socket ends decides what comes next:
 *
 * | end                                         | next                                                                    |
 * | ------------------------------------------- | ----------------------------------------------------------------------- |
 * | 1001 (the edge shuts down)                  | another edge after a random 0 to 2 s, so that not everybody comes at once |
 * | 4001 (token expired)                        | at once, with a new token                                               |
 * | 4002 (token revoked), refused with 401      | at once, with a new token; closed when that one fares no better         |
 * | refused with 400 or 403                     | closed                                                                  |
 * | refused with `Retry-After` (429, 503)       | after that, and up to a quarter more                                    |
 * | 1002, 1007 to 1009, 4003 (our frames are bad) | after the longest backoff                                             |
 * | anything else                               | after a backoff with jitter; twice unopened in a row: with a new token  |
 */
import { type Backoff, backoffMs } from './backoff.ts'
import { SignalboxError } from './errors.ts'
import {
  type Link,
  type LinkEnd,
  type LinkOptions,
  openLink,
  type WebSocketConstructor,
} from './link.ts'
import {
  type AnyItem,
  type AnyOptions,
  call,
  createSubscription,
  type EventItem,
  type EventOptions,
  type StateChangeItem,
  type StateChangeOptions,
  type Subscription,
} from './subscription.ts'
import { createTokens } from './token.ts'
import { createTopic, type Topic, type TopicOptions } from './topic.ts'
import type { Entity } from './wire.ts'

const GOING_AWAY = 1001
const TOKEN_EXPIRED = 4001
const TOKEN_REVOKED = 4002
const BAD_FRAMES: ReadonlySet<number | undefined> = new Set([1002, 1007, 1008, 1009, 4003])
const SPREAD_MS = 2_000
/** A socket that was open for so long owes nothing to the failures before it. */
const STABLE_MS = 5_000

export interface ClientOptions {
  /** Of the edge, or of several that serve the same accounts: `ws(s)://` or `http(s)://`; a path other than `/` is taken as it is. */
  url: string | readonly string[]
  /** Asked for a token before a socket is opened, and before the one at hand ends; what it throws is tried again. */
  token: () => Promise<string> | string
  onStatus?: ((status: Status) => void) | undefined
  /** Every frame's text, in or out; tokens are left out. */
  onFrame?: LinkOptions['onFrame']
  /** Default: the platform's. */
  webSocket?: WebSocketConstructor | undefined
  /** Between tries; default from 1 s to 30 s. */
  backoff?: Partial<Backoff> | undefined
  /** For the handshake; default 10,000 ms. */
  connectTimeoutMs?: number | undefined
  /** For an answer; default 10,000 ms. Then the socket is given up. */
  requestTimeoutMs?: number | undefined
  /** Silence after which the edge is asked whether it is there; default 30,000 ms, 0: never. */
  heartbeatMs?: number | undefined
}

export type Status =
  | { state: 'connecting'; url: string }
  /** `error`: the token could not be renewed yet. */
  | { state: 'open'; url: string; error?: SignalboxError }
  | { state: 'waiting'; retryInMs: number; error: SignalboxError }
  | { state: 'closed'; error?: SignalboxError }

export interface StateChangeSelector {
  personKey: string
  entity: Entity
}

/** At least one field but `when`; `all` is for tokens of the account. */
export interface EventSelector {
  conversationKey?: string | undefined
  conversationType?: string | undefined
  eventType?: string | undefined
  personKey?: string | undefined
  all?: true | undefined
  /** CEL over `event`. */
  when?: string | undefined
}

export interface Client extends AsyncDisposable {
  readonly status: Status
  /**
   * May be called at any time, and for the same selector again: the edge is asked once, and each subscription is told everything from its
   * beginning. Throws when the client is closed, and when `since` is given for a selector that is subscribed to already.
   */
  subscribeStateChange(
    selector: StateChangeSelector,
    options?: StateChangeOptions,
  ): Subscription<StateChangeItem>
  subscribe(selector: EventSelector, options?: EventOptions): Subscription<EventItem>
  /** Ends all subscriptions and the socket; resolves when that is closed. Idempotent. */
  close(): Promise<void>
}

/** Connects at once. Throws `TypeError` for a URL that is none. The caller closes it. */
export function connect(options: ClientOptions): Client {
  const urls = [options.url].flat().map(socketUrl)
  if (urls.length === 0) throw new TypeError('url: at least one is needed')
  const backoff = { initialMs: 1_000, maxMs: 30_000, ...options.backoff }
  const tokens = createTokens(options.token)
  const topics = new Map<string, Topic>()
  let status: Status = { state: 'connecting', url: urls[0]! }
  let link: Link | undefined
  let nextUrl = Math.floor(Math.random() * urls.length)
  let failures = 0
  let unopened = 0
  /** Tokens in a row that an edge did not take. */
  let rejected = 0
  let openedAtMs = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let closing: Promise<void> | undefined

  function tell(next: Status): void {
    status = next
    call(options.onStatus, next)
  }

  const isClosed = () => status.state === 'closed'

  async function attempt(): Promise<void> {
    clearTimeout(timer)
    const url = urls[nextUrl++ % urls.length]!
    tell({ state: 'connecting', url })
    let token: string
    try {
      token = await tokens.get()
    } catch (cause) {
      const error = new SignalboxError('SB_UNAUTHENTICATED', 'there is no token', {
        retryable: true,
        cause,
      })
      failures += 1
      return wait(backoffMs(failures, backoff), error)
    }
    if (isClosed()) return
    try {
      link = openLink(
        {
          url,
          token,
          webSocket: options.webSocket ?? globalThis.WebSocket,
          connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
          requestTimeoutMs: options.requestTimeoutMs ?? 10_000,
          heartbeatMs: options.heartbeatMs ?? 30_000,
          onFrame: options.onFrame,
        },
        { onOpen: () => opened(url), onEnd: ended },
      )
    } catch (error) {
      // n.b. what is no token cannot be offered either; the application may have another.
      ended({ wasOpen: false, reason: error instanceof Error ? error.message : String(error) })
    }
  }

  function opened(url: string): void {
    openedAtMs = Date.now()
    unopened = 0
    tell({ state: 'open', url })
    const present = link
    if (!present) return
    renewInTime(present)
    for (const topic of topics.values()) topic.attach(present)
  }

  function ended(end: LinkEnd): void {
    link = undefined
    clearTimeout(timer)
    for (const topic of topics.values()) topic.detach()
    if (end.wasOpen && Date.now() - openedAtMs >= STABLE_MS) {
      failures = 0
      rejected = 0
    }
    failures += 1
    const isTokenBad = end.code === TOKEN_REVOKED || end.status === 401
    // n.b. a browser does not say why: it may have been the token.
    const isUnexplained = !end.wasOpen && end.status === undefined
    if (isUnexplained) unopened += 1
    const isTokenDoubtful = isUnexplained && unopened % 2 === 0
    if (isTokenBad || isTokenDoubtful || end.code === TOKEN_EXPIRED) tokens.drop()
    if (isTokenBad) rejected += 1
    const isFinal = rejected > 1 || end.status === 400 || end.status === 403
    const error = errorOf(end, !isFinal)
    if (isFinal) void finish(error)
    else wait(delayAfter(end), error)
  }

  function delayAfter({ code, status: refusal, retryAfterMs }: LinkEnd): number {
    if (retryAfterMs !== undefined) return retryAfterMs * (1 + Math.random() / 4)
    if (BAD_FRAMES.has(code)) return backoffMs(Infinity, backoff)
    if (failures > 1 && refusal !== 401) return backoffMs(failures, backoff)
    if (code === GOING_AWAY) return Math.random() * SPREAD_MS
    const isTokenOver = code === TOKEN_EXPIRED || code === TOKEN_REVOKED || refusal === 401
    return isTokenOver ? 0 : backoffMs(failures, backoff)
  }

  function wait(retryInMs: number, error: SignalboxError): void {
    if (isClosed()) return
    timer = setTimeout(() => void attempt(), retryInMs)
    tell({ state: 'waiting', retryInMs: Math.round(retryInMs), error })
  }

  function renewInTime(present: Link, failed = 0): void {
    const delayMs = failed > 0 ? backoffMs(failed, backoff) : tokens.renewalDelayMs()
    if (delayMs !== undefined) timer = setTimeout(() => void renew(present, failed), delayMs)
  }

  /** Over the open socket. When it cannot be done the edge closes it in time, with 4001. */
  async function renew(present: Link, failed: number): Promise<void> {
    const again = (error: SignalboxError) => {
      if (present !== link) return
      renewInTime(present, failed + 1)
      if (status.state === 'open') tell({ state: 'open', url: status.url, error })
    }
    let token: string
    try {
      token = await tokens.renew()
    } catch (cause) {
      const message = 'there is no token to go on with'
      return again(new SignalboxError('SB_UNAUTHENTICATED', message, { retryable: true, cause }))
    }
    if (present !== link) return
    link.request('refresh_token', { token }, ({ status: answered, errors }) => {
      if (answered === 200) {
        renewInTime(present)
        if (status.state === 'open' && status.error) tell({ state: 'open', url: status.url })
        return
      }
      // n.b. an edge that does not know the action closes the socket when the token ends; so does one that has refused two.
      if (answered === 404 || (answered < 429 && failed > 0)) return
      const message = errors[0]?.message ?? `the edge answered ${answered} to the new token`
      again(new SignalboxError('SB_UNAUTHENTICATED', message, { retryable: true }))
    })
  }

  function finish(error?: SignalboxError): Promise<void> {
    closing ??= (async () => {
      clearTimeout(timer)
      platform.removeEventListener?.('online', hurry)
      const last = link
      link = undefined
      tell(error ? { state: 'closed', error } : { state: 'closed' })
      const ending = [...topics.values()]
      topics.clear()
      for (const topic of ending) topic.end(error)
      await last?.close()
    })()
    return closing
  }

  /** The network is there again: no need to wait. */
  function hurry(): void {
    if (status.state === 'waiting') void attempt()
  }

  function subscribe(
    { kind, ...asked }: Omit<TopicOptions, 'backoff'> & { kind: 'change' | 'event' },
    subscriptionOptions: AnyOptions,
  ): Subscription<AnyItem> {
    if (isClosed()) throw new SignalboxError('SB_UNAVAILABLE', 'the client is closed')
    const { since } = subscriptionOptions
    const key = JSON.stringify([asked.subscribeAction, asked.data])
    const known = topics.get(key)
    if (known?.isWanted && since !== undefined) {
      throw new SignalboxError('SB_CONFLICT', 'it is subscribed to already, without this cursor')
    }
    const topic =
      known ??
      createTopic({ ...asked, backoff }, () => {
        if (topics.get(key) === topic) topics.delete(key)
      })
    const { member, subscription } = createSubscription(kind, subscriptionOptions, {
      onNeed: () => topic.ask(),
      onUnsubscribe: (gone) => topic.leave(gone),
    })
    topics.set(key, topic)
    topic.join(member, since)
    if (!known && link && status.state === 'open') topic.attach(link)
    return subscription
  }

  const platform = globalThis as {
    addEventListener?: (type: string, listener: () => void) => void
    removeEventListener?: (type: string, listener: () => void) => void
  }
  platform.addEventListener?.('online', hurry)
  // n.b. in a turn of its own: whoever connects has the client in hand before it is told anything.
  timer = setTimeout(() => void attempt())

  return {
    get status() {
      return status
    },
    subscribeStateChange({ personKey, entity }, subscriptionOptions = {}) {
      return subscribe(
        {
          kind: 'change',
          subscribeAction: 'subscribe_state_change',
          unsubscribeAction: 'unsubscribe_state_change',
          event: 'state_change',
          data: { person_key: personKey, entity },
        },
        subscriptionOptions,
      ) as Subscription<StateChangeItem>
    },
    subscribe(selector, subscriptionOptions = {}) {
      const { conversationKey, conversationType, eventType, personKey, all, when } = selector
      const fields = {
        conversation_key: conversationKey,
        conversation_type: conversationType,
        event_type: eventType,
        person_key: personKey,
        all,
        when,
      }
      return subscribe(
        {
          kind: 'event',
          subscribeAction: 'subscribe',
          unsubscribeAction: 'unsubscribe',
          event: 'event',
          // n.b. without the undefined ones, as JSON would have it: the key of a topic is made of it.
          data: JSON.parse(JSON.stringify(fields)) as object,
        },
        subscriptionOptions,
      ) as Subscription<EventItem>
    },
    close: () => finish(),
    [Symbol.asyncDispose]: () => finish(),
  }
}

function socketUrl(text: string): string {
  const url = new URL(text)
  url.protocol = url.protocol.replace('http', 'ws')
  if (!/^wss?:$/.test(url.protocol)) throw new TypeError(`url: ${text} is no address of an edge`)
  if (url.pathname === '/') url.pathname = '/v1/socket'
  return url.href
}

function errorOf({ code, status, reason }: LinkEnd, retryable: boolean): SignalboxError {
  const isToken = status === 401 || code === TOKEN_EXPIRED || code === TOKEN_REVOKED
  const name = isToken
    ? 'SB_UNAUTHENTICATED'
    : status === 403
      ? 'SB_FORBIDDEN'
      : status === 400
        ? 'SB_INVALID_INPUT'
        : status === 429 || code === 4003
          ? 'SB_TOO_MANY'
          : 'SB_UNAVAILABLE'
  return new SignalboxError(name, reason, { retryable, status, closeCode: code })
}

/**
 * One WebSocket: its requests in the order they came, its subscriptions, what is sent to it, and how it ends.
 *
 * It is *open* until it is closed by either side; after that it sends nothing, and everything it holds is released.
 */
import type { SocketAnswer, TokenClaims } from '@signalbox/contracts'
import { AppError, isRetryable, type Log } from '@signalbox/kit'
import type { ChannelRegistry } from './channel-registry.ts'
import { CLOSE_CODES, type CloseCode } from './close-codes.ts'
import { Frame } from './frame.ts'
import { MAX_WAITING_REQUESTS } from './limits.ts'
import type { EdgeMetrics } from './metrics.ts'
import {
  type AnswerExtras,
  answerFrame,
  decide,
  decideBeyondRate,
  listed,
  type RefreshDecision,
  type RepeatDecision,
  type RequestId,
  refusal,
  requireSameHolder,
  type SubscribeDecision,
  success,
} from './protocol.ts'
import { channelOf, selectorKey } from './selector.ts'
import type { Showings, Shown } from './showings.ts'
import { type Outlet, Subscription } from './subscription.ts'
import { type Rate, TokenBucket } from './token-bucket.ts'

/** Events that are known again when they come by another subscription; few are ever on their way. */
const MAX_LAST_SHOWN = 32

/** What a connection asks of its socket. */
export interface ClientSocket {
  /** After what was written. */
  close(code: number, reason: string): void
  /** Stops reading from the client. */
  pause(): void
  resume(): void
}

/** What is written to a socket goes through here. */
export interface ClientWriter {
  /** False: too much waits for the client already, and the frame was dropped. */
  write(frame: Frame): boolean
  /** So much waits for the client that what can wait should. */
  readonly isCongested: boolean
  /** Resolves when it is not, or the socket is closed. */
  drained(): Promise<void>
}

export interface ConnectionParts {
  claims: TokenClaims
  socket: ClientSocket
  writer: ClientWriter
}

/** One for all connections: of what each has for itself there are ten thousand. */
export interface SharedByConnections {
  maxSubscriptions: number
  /** Of frames from one client, pings included. */
  frames: Rate
  channels: Pick<ChannelRegistry, 'hold'>
  showings: Pick<Showings, 'note'>
  log: Log
  metrics: Pick<EdgeMetrics, 'closes' | 'dropped' | 'resumes' | 'gaps' | 'filterFaults'>
  /** Of a token that is valid and not revoked; throws otherwise. */
  claimsOf(token: string): Promise<TokenClaims>
}

export interface Connection {
  readonly subscriptionCount: number
  /** Of the token it was opened with, or refreshed with last. */
  readonly claims: TokenClaims
  /** Without a subscription, and without a frame from the client since `timeMs` (of `performance.now`). */
  isIdleSince(timeMs: number): boolean
  /** A frame from the client; undefined: it was binary. */
  receive(text: string | undefined): void
  /** A ping from the client, or a pong that nobody asked for: it is counted. */
  receiveControl(): void
  /** Closes the socket, telling the client why. Nothing when it is closed already. */
  close(why: CloseCode): void
  /** The socket is gone: releases what the connection holds. Idempotent. */
  end(): void
}

export function createConnection(parts: ConnectionParts, shared: SharedByConnections): Connection {
  return new SocketConnection(parts, shared)
}

const NO_SUBSCRIPTIONS: ReadonlyMap<string, Subscription> = new Map()
const NOTHING_TO_DO: Promise<void> = Promise.resolve()

/**
 * A class, and frugal with fields, because there are ten thousand of them and most do nothing. What every frame asks for comes first, so
 * that it is together in memory.
 */
class SocketConnection implements Connection, Outlet {
  readonly #writer: ClientWriter
  readonly #shared: SharedByConnections
  #isOpen = true
  #hasSeveral = false
  #lastShown: string[] | undefined
  readonly #socket: ClientSocket
  readonly #bucket: TokenBucket
  #claims: TokenClaims
  #subscriptions: Map<string, Subscription> | undefined
  #waitingRequests = 0
  #lastRequest = NOTHING_TO_DO

  constructor({ claims, socket, writer }: ConnectionParts, shared: SharedByConnections) {
    this.#writer = writer
    this.#shared = shared
    this.#socket = socket
    this.#claims = claims
    this.#bucket = new TokenBucket(shared.frames, performance.now())
  }

  get claims(): TokenClaims {
    return this.#claims
  }

  get subscriptions(): ReadonlyMap<string, Subscription> {
    return this.#subscriptions ?? NO_SUBSCRIPTIONS
  }

  get maxSubscriptions(): number {
    return this.#shared.maxSubscriptions
  }

  get subscriptionCount(): number {
    return this.subscriptions.size
  }

  isIdleSince(timeMs: number): boolean {
    return this.subscriptions.size === 0 && this.#bucket.atMs <= timeMs
  }

  receive(text: string | undefined): void {
    const isBeyondRate = this.#takeFrame() < 0
    const socket = this.#socket
    // n.b. a socket that is not read holds its client back by TCP: requests wait there, not in our memory.
    if (++this.#waitingRequests === MAX_WAITING_REQUESTS) socket.pause()
    this.#lastRequest = this.#lastRequest.then(async () => {
      await this.#handle(text, isBeyondRate)
      if (this.#waitingRequests-- === MAX_WAITING_REQUESTS) socket.resume()
    })
  }

  receiveControl(): void {
    this.#takeFrame()
  }

  get isCongested(): boolean {
    return this.#writer.isCongested
  }

  drained(): Promise<void> {
    return this.#writer.drained()
  }

  send(frame: Frame, shown?: Shown): void {
    if (!this.#isOpen) return
    if (this.#writer.write(frame)) {
      if (shown && this.#isFirstShowing(shown)) this.#shared.showings.note(shown)
      return
    }
    this.#shared.metrics.dropped.inc()
    this.close('slowConsumer')
  }

  close(why: CloseCode): void {
    if (!this.#isOpen) return
    const { code, reason } = CLOSE_CODES[why]
    this.#shared.metrics.closes.inc({ reason: why })
    this.end()
    this.#socket.close(code, reason)
  }

  end(): void {
    this.#isOpen = false
    for (const subscription of this.subscriptions.values()) subscription.end()
    this.#subscriptions = undefined
  }

  async #handle(text: string | undefined, isBeyondRate: boolean): Promise<void> {
    if (!this.#isOpen) return
    const decision = isBeyondRate ? decideBeyondRate(text) : decide(text, this)
    switch (decision.kind) {
      case 'answer':
        return this.#answer(decision.answer)
      case 'subscribe':
        return this.#subscribe(decision)
      case 'repeat':
        return this.#repeat(decision)
      case 'unsubscribe': {
        const key = selectorKey(decision.selector)
        this.subscriptions.get(key)?.end()
        this.#subscriptions?.delete(key)
        this.#hasSeveral = this.subscriptions.size > 1
        return this.#answer(success(decision.requestId))
      }
      case 'refresh':
        return this.#refresh(decision)
      case 'list':
        return this.#answer(success(decision.requestId), {
          subscriptions: Array.from(this.subscriptions.values(), listed),
        })
    }
  }

  async #subscribe(decision: SubscribeDecision): Promise<void> {
    const { channels, log, metrics } = this.#shared
    const { requestId, selector, wishes } = decision
    let subscription: Subscription | undefined
    let extras: AnswerExtras
    try {
      const hold = await channels.hold(channelOf(selector, this.#claims.account_key))
      if (!this.#isOpen) return hold.release()
      subscription = new Subscription(decision, { hold, outlet: this, log, metrics })
      extras = await subscription.begin(wishes)
    } catch (error) {
      subscription?.end()
      return this.#refuse(requestId, error)
    }
    if (!this.#isOpen) return subscription.end()
    this.#subscriptions ??= new Map()
    this.#subscriptions.set(selectorKey(selector), subscription)
    this.#hasSeveral = this.#subscriptions.size > 1
    this.#answer(success(requestId), extras)
    subscription.goLive()
  }

  async #repeat({ requestId, selector, wishes }: RepeatDecision): Promise<void> {
    const subscription = this.subscriptions.get(selectorKey(selector))!
    let extras: AnswerExtras
    try {
      extras = await subscription.repeat(wishes)
    } catch (error) {
      return this.#refuse(requestId, error)
    }
    this.#answer(success(requestId), extras)
    subscription.goLive()
  }

  async #refresh({ requestId, token }: RefreshDecision): Promise<void> {
    const { claimsOf, log } = this.#shared
    try {
      const fresh = await claimsOf(token)
      requireSameHolder(fresh, this.#claims)
      this.#claims = fresh
    } catch (error) {
      if (!(error instanceof AppError)) {
        const accountKey = this.#claims.account_key
        log.error({ err: error, accountKey }, 'socket.refresh_failed')
      }
      return this.#answer(refusal(requestId, error))
    }
    const expiresAt = new Date(this.#claims.exp * 1_000).toISOString()
    this.#answer(success(requestId), { expiresAt })
  }

  #refuse(requestId: RequestId, error: unknown): void {
    const level = isRetryable(error) ? 'debug' : 'error'
    const accountKey = this.#claims.account_key
    this.#shared.log[level]({ err: error, accountKey }, 'socket.subscribe_failed')
    this.#answer(refusal(requestId, error))
  }

  #answer(content: SocketAnswer, extras?: AnswerExtras): void {
    this.send(new Frame('answer', [answerFrame(content, extras)]))
  }

  /** What is left is negative beyond the rate; whoever goes on then, as long as a burst, is closed. */
  #takeFrame(): number {
    const { burst } = this.#shared.frames
    const left = this.#bucket.take(performance.now(), burst + 1)
    if (left < -burst) this.close('tooManyRequests')
    return left
  }

  /** An event that fits several subscriptions has reached one socket. */
  #isFirstShowing(shown: Shown): boolean {
    if (!this.#hasSeveral) return true
    const { eventId } = shown
    this.#lastShown ??= []
    if (this.#lastShown.includes(eventId)) return false
    this.#lastShown.push(eventId)
    if (this.#lastShown.length > MAX_LAST_SHOWN) this.#lastShown.shift()
    return true
  }
}

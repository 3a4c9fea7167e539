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
  type ConnectionState,
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
import type { Showings } from './showings.ts'
import { type Outlet, Subscription } from './subscription.ts'
import { type Rate, TokenBucket } from './token-bucket.ts'

/** Events that are known again when they come by another subscription; few are ever on their way. */
const MAX_LAST_SHOWN = 32

/** What a connection asks of its socket. */
export interface ClientSocket {
  /** False: too much waits for the client already, and the frame was dropped. */
  write(frame: Frame): boolean
  /** So much waits for the client that what can wait should. */
  readonly isCongested: boolean
  /** Resolves when it is not, or the socket is closed. */
  drained(): Promise<void>
  /** After what was written. */
  close(code: number, reason: string): void
  /** Stops reading from the client. */
  pause(): void
  resume(): void
}

export interface ConnectionOptions {
  claims: TokenClaims
  maxSubscriptions: number
  /** Of frames from the client, pings included. */
  frames: Rate
}

export interface ConnectionDeps {
  socket: ClientSocket
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

export function createConnection(
  { claims, maxSubscriptions, frames }: ConnectionOptions,
  { socket, channels, showings, log, metrics, claimsOf }: ConnectionDeps,
): Connection {
  const subscriptions = new Map<string, Subscription>()
  const state: ConnectionState & { claims: TokenClaims } = {
    claims,
    subscriptions,
    maxSubscriptions,
  }
  const bucket = new TokenBucket(frames, performance.now())
  const lastShown: string[] = []
  let hasSeveral = false
  let isOpen = true
  let waitingRequests = 0
  let lastRequest: Promise<void> = Promise.resolve()

  const outlet: Outlet = {
    send,
    get isCongested() {
      return socket.isCongested
    },
    drained: () => socket.drained(),
  }

  async function handle(text: string | undefined, isBeyondRate: boolean): Promise<void> {
    if (!isOpen) return
    const decision = isBeyondRate ? decideBeyondRate(text) : decide(text, state)
    switch (decision.kind) {
      case 'answer':
        return answer(decision.answer)
      case 'subscribe':
        return subscribe(decision)
      case 'repeat':
        return repeat(decision)
      case 'unsubscribe': {
        const key = selectorKey(decision.selector)
        subscriptions.get(key)?.end()
        subscriptions.delete(key)
        hasSeveral = subscriptions.size > 1
        return answer(success(decision.requestId))
      }
      case 'refresh':
        return refresh(decision)
      case 'list':
        return answer(success(decision.requestId), {
          subscriptions: [...subscriptions.values()].map(listed),
        })
    }
  }

  async function subscribe(decision: SubscribeDecision): Promise<void> {
    const { requestId, selector, wishes } = decision
    let subscription: Subscription | undefined
    let extras: AnswerExtras
    try {
      const hold = await channels.hold(channelOf(selector, claims.account_key))
      if (!isOpen) return hold.release()
      subscription = new Subscription(decision, { hold, outlet, log, metrics })
      extras = await subscription.begin(wishes)
    } catch (error) {
      subscription?.end()
      return refuse(requestId, error)
    }
    if (!isOpen) return subscription.end()
    subscriptions.set(selectorKey(selector), subscription)
    hasSeveral = subscriptions.size > 1
    answer(success(requestId), extras)
    subscription.goLive()
  }

  async function repeat({ requestId, selector, wishes }: RepeatDecision): Promise<void> {
    const subscription = subscriptions.get(selectorKey(selector))!
    let extras: AnswerExtras
    try {
      extras = await subscription.repeat(wishes)
    } catch (error) {
      return refuse(requestId, error)
    }
    answer(success(requestId), extras)
    subscription.goLive()
  }

  async function refresh({ requestId, token }: RefreshDecision): Promise<void> {
    let fresh: TokenClaims
    try {
      fresh = await claimsOf(token)
      requireSameHolder(fresh, state.claims)
    } catch (error) {
      if (!(error instanceof AppError)) {
        log.error({ err: error, accountKey: claims.account_key }, 'socket.refresh_failed')
      }
      return answer(refusal(requestId, error))
    }
    state.claims = fresh
    const expiresAt = new Date(fresh.exp * 1_000).toISOString()
    answer(success(requestId), { expiresAt })
  }

  function refuse(requestId: RequestId, error: unknown): void {
    const level = isRetryable(error) ? 'debug' : 'error'
    log[level]({ err: error, accountKey: claims.account_key }, 'socket.subscribe_failed')
    answer(refusal(requestId, error))
  }

  function answer(content: SocketAnswer, extras?: AnswerExtras): void {
    send(new Frame('answer', [answerFrame(content, extras)]))
  }

  function send(frame: Frame, eventId?: string): void {
    if (!isOpen) return
    if (socket.write(frame)) {
      if (eventId !== undefined && isFirstShowing(eventId)) {
        showings.note(claims.account_key, eventId)
      }
      return
    }
    metrics.dropped.inc()
    close('slowConsumer')
  }

  /** What is left is negative beyond the rate; whoever goes on then, as long as a burst, is closed. */
  function takeFrame(): number {
    const left = bucket.take(performance.now(), frames.burst + 1)
    if (left < -frames.burst) close('tooManyRequests')
    return left
  }

  /** An event that fits several subscriptions has reached one socket. */
  function isFirstShowing(eventId: string): boolean {
    if (!hasSeveral) return true
    if (lastShown.includes(eventId)) return false
    lastShown.push(eventId)
    if (lastShown.length > MAX_LAST_SHOWN) lastShown.shift()
    return true
  }

  function close(why: CloseCode): void {
    if (!isOpen) return
    const { code, reason } = CLOSE_CODES[why]
    metrics.closes.inc({ reason: why })
    end()
    socket.close(code, reason)
  }

  function end(): void {
    isOpen = false
    for (const subscription of subscriptions.values()) subscription.end()
    subscriptions.clear()
  }

  return {
    get subscriptionCount() {
      return subscriptions.size
    },
    get claims() {
      return state.claims
    },
    isIdleSince: (timeMs) => subscriptions.size === 0 && bucket.atMs <= timeMs,
    receiveControl() {
      takeFrame()
    },
    receive(text) {
      const isBeyondRate = takeFrame() < 0
      // n.b. a socket that is not read holds its client back by TCP: requests wait there, not in our memory.
      if (++waitingRequests === MAX_WAITING_REQUESTS) socket.pause()
      lastRequest = lastRequest.then(async () => {
        await handle(text, isBeyondRate)
        if (waitingRequests-- === MAX_WAITING_REQUESTS) socket.resume()
      })
    },
    close,
    end,
  }
}

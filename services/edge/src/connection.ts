/**
 * One WebSocket: its requests in the order they came, its subscriptions, what is sent to it, and how it ends.
 *
 * It is *open* until it is closed by either side; after that it sends nothing, and everything it holds is released.
 */
import type { SocketAnswer, TokenClaims } from '@signalbox/contracts'
import { isRetryable, type Log } from '@signalbox/kit'
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
  listed,
  type RepeatDecision,
  type RequestId,
  refusal,
  type SubscribeDecision,
  success,
} from './protocol.ts'
import { channelOf, selectorKey } from './selector.ts'
import { type Outlet, Subscription } from './subscription.ts'

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
}

export interface ConnectionDeps {
  socket: ClientSocket
  channels: Pick<ChannelRegistry, 'hold'>
  log: Log
  metrics: Pick<EdgeMetrics, 'closes' | 'resumes' | 'gaps' | 'filterFaults'>
}

export interface Connection {
  readonly subscriptionCount: number
  /** The end of its token, Unix milliseconds. */
  readonly expiresAtMs: number
  /** A frame from the client; undefined: it was binary. */
  receive(text: string | undefined): void
  /** Closes the socket, telling the client why. Nothing when it is closed already. */
  close(why: CloseCode): void
  /** The socket is gone: releases what the connection holds. Idempotent. */
  end(): void
}

export function createConnection(
  { claims, maxSubscriptions }: ConnectionOptions,
  { socket, channels, log, metrics }: ConnectionDeps,
): Connection {
  const subscriptions = new Map<string, Subscription>()
  const state: ConnectionState = { claims, subscriptions, maxSubscriptions }
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

  async function handle(text: string | undefined): Promise<void> {
    if (!isOpen) return
    const decision = decide(text, state)
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
        return answer(success(decision.requestId))
      }
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

  function refuse(requestId: RequestId, error: unknown): void {
    const level = isRetryable(error) ? 'debug' : 'error'
    log[level]({ err: error, accountKey: claims.account_key }, 'socket.subscribe_failed')
    answer(refusal(requestId, error))
  }

  function answer(content: SocketAnswer, extras?: AnswerExtras): void {
    send(new Frame('answer', [answerFrame(content, extras)]))
  }

  function send(frame: Frame): void {
    if (isOpen && !socket.write(frame)) close('slowConsumer')
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
    expiresAtMs: claims.exp * 1_000,
    receive(text) {
      // n.b. a socket that is not read holds its client back by TCP: requests wait there, not in our memory.
      if (++waitingRequests === MAX_WAITING_REQUESTS) socket.pause()
      lastRequest = lastRequest.then(async () => {
        await handle(text)
        if (waitingRequests-- === MAX_WAITING_REQUESTS) socket.resume()
      })
    },
    close,
    end,
  }
}

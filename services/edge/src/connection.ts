/**
 * One WebSocket: its requests in the order they came, its subscriptions, what is sent to it, and how it ends.
 *
 * It is *open* until it is closed by either side; after that it sends nothing, and everything it holds is released.
 */
import type { SocketAnswer, TokenClaims } from '@signalbox/contracts'
import { isRetryable, type Log } from '@signalbox/kit'
import type { ChannelRegistry, Hold } from './channel-registry.ts'
import { CLOSE_CODES, type CloseCode } from './close-codes.ts'
import { Frame, framePrefix } from './frame.ts'
import { MAX_WAITING_REQUESTS } from './limits.ts'
import type { EdgeMetrics } from './metrics.ts'
import {
  answerFrame,
  type ConnectionState,
  decide,
  type Interest,
  interestKey,
  type RequestId,
  refusal,
  success,
} from './protocol.ts'

/** What a connection asks of its socket. */
export interface ClientSocket {
  /** False: too much waits for the client already, and the frame was dropped. */
  write(frame: Frame): boolean
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
  metrics: Pick<EdgeMetrics, 'closes'>
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
  const subscriptions = new Map<string, Hold>()
  const state: ConnectionState = { claims, subscriptions, maxSubscriptions }
  let isOpen = true
  let waitingRequests = 0
  let lastRequest: Promise<void> = Promise.resolve()

  async function handle(text: string | undefined): Promise<void> {
    if (!isOpen) return
    const decision = decide(text, state)
    switch (decision.kind) {
      case 'answer':
        return answer(decision.answer)
      case 'subscribe':
        return subscribe(decision.requestId, decision.interest)
      case 'unsubscribe': {
        const key = interestKey(decision.interest)
        subscriptions.get(key)?.release()
        subscriptions.delete(key)
        return answer(success(decision.requestId))
      }
    }
  }

  async function subscribe(requestId: RequestId, interest: Interest): Promise<void> {
    let hold: Hold
    try {
      hold = await channels.hold({
        accountKey: claims.account_key,
        kind: 'person',
        personKey: interest.personKey,
      })
    } catch (error) {
      const level = isRetryable(error) ? 'debug' : 'error'
      log[level]({ err: error, accountKey: claims.account_key }, 'socket.subscribe_failed')
      return answer(refusal(requestId, error))
    }
    if (!isOpen) return hold.release()
    subscriptions.set(interestKey(interest), hold)
    answer(success(requestId))
    const prefix = framePrefix('state_change', requestId)
    hold.listen((change) => {
      if (change.entity === interest.entity) send(change.body.after(prefix))
    })
  }

  function answer(content: SocketAnswer): void {
    send(new Frame('answer', [answerFrame(content)]))
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
    for (const hold of subscriptions.values()) hold.release()
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

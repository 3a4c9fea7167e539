/**
 * Subscribers: WebSockets at the edges, each watching one person's flow, each coming back by itself when its socket ends.
 *
 * A subscriber's era counts its sockets: it begins a new one with every answered subscribe request.
 */
import { SOCKET_SUBPROTOCOL, type SocketAnswer, type StateChangeFrame } from '@signalbox/contracts'
import { backoffDelayMs, delay } from '@signalbox/kit'
import { WebSocket } from 'ws'
import type { Person } from './workload.ts'

const HANDSHAKE_TIMEOUT_MS = 5_000
const OPENING_TIMEOUT_MS = 60_000
/** Sockets that are opened at once. */
const OPENING_AT_ONCE = 50
/** An edge must speak within this (it answers pings), or the socket is taken for dead. */
const PING_INTERVAL_MS = 2_000

export interface SubscribersOptions {
  edgeUrls: readonly string[]
  /** In order; the `n`th is called `n` in what `onFrame` is told. */
  persons: readonly Person[]
}

export interface SubscribersDeps {
  tokenFor(person: Person): Promise<string>
  /** A frame's `data.id`, with whom it came to and in which era of theirs. */
  onFrame(id: string, subscriber: number, era: number): void
}

export interface Subscribers extends AsyncDisposable {
  /** 0: never subscribed yet. */
  eraOf(subscriber: number): number
  /** Sockets that ended before they were told to. */
  readonly breaks: number
}

/** Resolves when all are subscribed. Throws when one was not in 60 s, with what the edge said. */
export async function openSubscribers(
  options: SubscribersOptions,
  deps: SubscribersDeps,
): Promise<Subscribers> {
  const { edgeUrls, persons } = options
  const eras = persons.map(() => 0)
  const closed = new AbortController()
  const sockets = new Set<WebSocket>()
  const running: Promise<void>[] = []
  let breaks = 0

  /** Resolves with the reason when the socket has ended. */
  async function connect(subscriber: number, attempt: number, onSubscribed: () => void) {
    const person = persons[subscriber]!
    const edgeUrl = edgeUrls[(subscriber + attempt) % edgeUrls.length]!.replace(/^http/, 'ws')
    const token = await deps.tokenFor(person)
    if (closed.signal.aborted) return 'closed'
    const socket = new WebSocket(`${edgeUrl}/v1/socket`, [SOCKET_SUBPROTOCOL], {
      headers: { authorization: `Bearer ${token}` },
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      perMessageDeflate: false,
    })
    sockets.add(socket)
    let reason = 'the socket ended'
    let isAlive = true
    const pings = setInterval(() => {
      if (socket.readyState !== WebSocket.OPEN) return
      if (!isAlive) return socket.terminate()
      isAlive = false
      socket.ping()
    }, PING_INTERVAL_MS)
    socket.on('pong', () => {
      isAlive = true
    })
    socket.on('open', () => {
      const data = { person_key: person.personKey, entity: 'flow' }
      socket.send(JSON.stringify({ action: 'subscribe_state_change', request_id: 1, data }))
    })
    socket.on('message', (body: Buffer) => {
      isAlive = true
      const frame = JSON.parse(body.toString()) as SocketAnswer | StateChangeFrame
      if ('event' in frame) return deps.onFrame(frame.data.id, subscriber, eras[subscriber]!)
      if (frame.status === 200) {
        eras[subscriber]!++
        return onSubscribed()
      }
      reason = `the edge answered ${frame.status}: ${frame.errors.map(({ message }) => message).join('; ')}`
      socket.terminate()
    })
    socket.on('error', (error) => {
      reason = error.message
    })
    await new Promise<void>((resolve) => socket.once('close', () => resolve()))
    clearInterval(pings)
    sockets.delete(socket)
    return reason
  }

  /** Until closed; resolves when it is subscribed for the first time. */
  async function open(subscriber: number): Promise<void> {
    const first = Promise.withResolvers<void>()
    let lastReason = 'no edge answered'
    const keep = async () => {
      let failures = 0
      for (let attempt = 0; !closed.signal.aborted; attempt++) {
        const onSubscribed = () => {
          failures = 0
          first.resolve()
        }
        lastReason = await connect(subscriber, attempt, onSubscribed).catch(
          (error: Error) => error.message,
        )
        if (closed.signal.aborted) return
        if (eras[subscriber]! > 0) breaks++
        failures++
        await delay(backoffDelayMs(failures, { maxDelayMs: 1_000 }), closed.signal)
      }
    }
    running.push(keep())
    const patience = setTimeout(
      () => first.reject(new Error(`subscriber ${subscriber} cannot subscribe: ${lastReason}`)),
      OPENING_TIMEOUT_MS,
    )
    await first.promise.finally(() => clearTimeout(patience))
  }

  async function close(): Promise<void> {
    closed.abort()
    for (const socket of sockets) socket.terminate()
    await Promise.all(running)
  }

  try {
    for (let start = 0; start < persons.length; start += OPENING_AT_ONCE) {
      const next = persons.slice(start, start + OPENING_AT_ONCE)
      await Promise.all(next.map((_person, offset) => open(start + offset)))
    }
  } catch (error) {
    await close()
    throw error
  }
  return {
    eraOf: (subscriber) => eras[subscriber] ?? 0,
    get breaks() {
      return breaks
    },
    [Symbol.asyncDispose]: close,
  }
}

/**
 * A link: one WebSocket, its requests and their answers, and the frames that come over it.
 *
 * opening -> open -> ended, or opening -> ended. It ends when the socket does, and when the edge does not answer in time: the handshake, a
 * request, or the question that it is asked when it was silent for long (a connection that was cut on its way looks like silence). After
 * its end it tells nothing more, whatever the socket does.
 */
import { onUnexpectedResponse, type Refusal, watchHandshake } from './refusal.ts'
import { type SocketAnswer, type SocketFrame, SUBPROTOCOL } from './wire.ts'

/** Below the 64 that an edge reads ahead. */
const MAX_UNANSWERED = 32
const CLOSE_TIMEOUT_MS = 2_000

export interface SocketEvent {
  readonly type: string
  readonly data?: unknown
  readonly code?: number
  readonly reason?: unknown
}

/** What is used of a WebSocket: the platform's has it, and that of `ws`. */
export interface WebSocketLike {
  addEventListener(type: string, listener: (event: SocketEvent) => void): void
  send(text: string): void
  close(code?: number, reason?: string): void
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike

export interface LinkOptions {
  url: string
  token: string
  webSocket: WebSocketConstructor
  connectTimeoutMs: number
  requestTimeoutMs: number
  /** Silence after which the edge is asked whether it is there; 0: never. */
  heartbeatMs: number
  /** The text of every frame, but for tokens. */
  onFrame?: ((direction: 'in' | 'out', text: string) => void) | undefined
}

/** How a link ended. `status`: the edge refused the socket. */
export interface LinkEnd extends Partial<Refusal> {
  wasOpen: boolean
  code?: number | undefined
  reason: string
}

export interface LinkListener {
  onOpen(): void
  /** Once, and nothing after it. */
  onEnd(end: LinkEnd): void
}

export interface Link {
  /** `onAnswer` is called at most once, `onEvent` for each frame under this request until it is forgotten; neither after the end. */
  request(
    action: string,
    data: object,
    onAnswer: (answer: SocketAnswer) => void,
    onEvent?: (frame: SocketFrame) => void,
  ): number
  /** Frames under this request are of no interest any more. */
  forget(requestId: number): void
  /** Ends it without a word to the listener; resolves when the socket is closed, or did not answer for 2 s. */
  close(): Promise<void>
}

let lastRequestId = 0

/** Throws what the constructor of the WebSocket throws. */
export function openLink(options: LinkOptions, { onOpen, onEnd }: LinkListener): Link {
  const { url, token, webSocket: Socket, requestTimeoutMs, heartbeatMs, onFrame } = options
  const answers = new Map<unknown, (answer: SocketAnswer) => void>()
  const events = new Map<unknown, (frame: SocketFrame) => void>()
  const unsent: { id: number; text: string; shown: string }[] = []
  const timers = new Set<ReturnType<typeof setTimeout>>()
  const closed = Promise.withResolvers<void>()
  let isOpen = false
  let hasEnded = false
  let isHeard = false
  let unanswered = 0

  const refused = (refusal: Refusal) =>
    end({ ...refusal, reason: `the edge refused the socket: ${refusal.status}` })
  const unwatch = Socket === globalThis.WebSocket ? watchHandshake(token, refused) : undefined
  let socket: WebSocketLike
  try {
    socket = new Socket(url, [SUBPROTOCOL, `bearer.${token}`])
  } catch (error) {
    unwatch?.()
    throw error
  }
  onUnexpectedResponse(socket, refused)
  const opening = after(options.connectTimeoutMs, () =>
    end({ reason: 'the edge did not answer the handshake in time' }),
  )

  socket.addEventListener('open', () => {
    if (hasEnded) return
    unwatch?.()
    cancel(opening)
    isOpen = true
    if (heartbeatMs > 0) beat()
    onOpen()
  })
  socket.addEventListener('message', ({ data }) => {
    if (!hasEnded) receive(String(data))
  })
  // n.b. a close follows; without a listener an error of `ws` would be nobody's.
  socket.addEventListener('error', () => undefined)
  socket.addEventListener('close', ({ code, reason }) => {
    closed.resolve()
    end({ code, reason: String(reason ?? '') || `the socket was closed with ${code}` })
  })

  function receive(text: string): void {
    isHeard = true
    onFrame?.('in', text)
    let frame: SocketAnswer | SocketFrame
    try {
      frame = JSON.parse(text) as SocketAnswer | SocketFrame
    } catch {
      end({ reason: 'what the edge sent is not JSON' })
      return
    }
    if ('event' in frame) events.get(frame.request_id)?.(frame)
    else answered(frame)
  }

  function answered(answer: SocketAnswer): void {
    const onAnswer = answers.get(answer.request_id)
    if (!onAnswer) return
    answers.delete(answer.request_id)
    if (answer.status !== 200) events.delete(answer.request_id)
    unanswered -= 1
    onAnswer(answer)
    if (!hasEnded) flush()
  }

  /** Answers come in the order of the requests: who waits for one that is late waits for all. */
  function flush(): void {
    while (isOpen && unanswered < MAX_UNANSWERED) {
      const next = unsent.shift()
      if (!next) return
      unanswered += 1
      const { id, text, shown } = next
      const onAnswer = answers.get(id)
      const timer = after(requestTimeoutMs, () =>
        end({ reason: `the edge did not answer within ${requestTimeoutMs} ms` }),
      )
      answers.set(id, (answer) => {
        cancel(timer)
        onAnswer?.(answer)
      })
      onFrame?.('out', shown)
      socket.send(text)
    }
  }

  function beat(): void {
    isHeard = false
    after(heartbeatMs, () => {
      if (isHeard) beat()
      else link.request('list', {}, beat)
    })
  }

  function end(how: Omit<LinkEnd, 'wasOpen'>): void {
    if (!finish()) return
    try {
      socket.close()
    } catch {
      // It was closed already, or never opened.
    }
    onEnd({ wasOpen: isOpen, ...how })
  }

  function finish(): boolean {
    if (hasEnded) return false
    hasEnded = true
    unwatch?.()
    for (const timer of timers) clearTimeout(timer)
    answers.clear()
    events.clear()
    return true
  }

  function after(ms: number, callback: () => void) {
    const timer = setTimeout(() => {
      timers.delete(timer)
      callback()
    }, ms)
    timers.add(timer)
    return timer
  }

  function cancel(timer: ReturnType<typeof setTimeout>): void {
    clearTimeout(timer)
    timers.delete(timer)
  }

  const link: Link = {
    request(action, data, onAnswer, onEvent) {
      lastRequestId += 1
      const id = lastRequestId
      if (hasEnded) return id
      answers.set(id, onAnswer)
      if (onEvent) events.set(id, onEvent)
      const textOf = (content: object) => JSON.stringify({ action, request_id: id, data: content })
      unsent.push({
        id,
        text: textOf(data),
        shown: textOf('token' in data ? { ...data, token: '…' } : data),
      })
      flush()
      return id
    },
    forget(requestId) {
      events.delete(requestId)
    },
    async close() {
      if (!finish()) return
      try {
        socket.close(1000)
      } catch {
        return
      }
      const patience = setTimeout(closed.resolve, CLOSE_TIMEOUT_MS)
      await closed.promise
      clearTimeout(patience)
    },
  }
  return link
}

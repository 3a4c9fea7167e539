/**
 * A model of edges that share one log, and of a network that loses whatever is on its way when a connection is cut. The test decides
 * when anything moves.
 */
import type { CurrentState, SocketAnswer } from '../src/wire.ts'
import { FakeSocket, fakeSockets, type Request } from './fake-sockets.ts'

interface Logged {
  offset: number
  id: string
}

export class ModelSocket extends FakeSocket {
  toClient: object[] = []
  subscription: { requestId: number } | undefined
  isOpen = false
  isCut = false

  override close(): void {
    this.isCut = true
  }
}

export interface Model {
  readonly sockets: ModelSocket[]
  readonly webSocket: new (url: string, protocols: string[]) => FakeSocket
  /** The ids of all changes, `0`, `1`, …, in order. */
  readonly published: readonly string[]
  /** How many changes there had been whenever the log was forgotten. */
  readonly forgotten: readonly number[]
  publish(): void
  /** The edge takes one request of the newest socket. */
  serve(): void
  /** The client gets the oldest frame that is on its way to it. */
  deliver(): void
  open(): void
  refuse(): void
  cut(code?: number): void
  /** The log loses all but its newest. */
  trim(keep: number): void
  /** Redis comes back empty. */
  forget(): void
  /** The next requests are answered 503. */
  trouble(requests: number): void
}

export function createModel(): Model {
  const { sockets, webSocket } = fakeSockets<ModelSocket>(ModelSocket)
  const published: string[] = []
  const forgotten: number[] = []
  let log: Logged[] = []
  let epoch = 1
  let end = 0
  let failing = 0
  const newest = () => sockets.findLast(({ isCut }) => !isCut)
  const cursorAt = (offset: number) => `${epoch}.${offset}.x`
  const frame = (socket: ModelSocket, { offset, id }: Logged) => {
    const { subscription } = socket
    if (!subscription) return
    socket.toClient.push({
      event: 'state_change',
      request_id: subscription.requestId,
      data: { entity: 'flow', id, identifier: 'i', state: 'active', previous_state: null },
      cursor: cursorAt(offset),
    })
  }
  const snapshot = (): CurrentState[] => [
    { entity: 'flow', id: published.at(-1) ?? 'none', identifier: 'i', state: 'active' },
  ]

  function isRecoverable(since: string): boolean {
    const [of, offset] = since.split('.').map(Number)
    const oldest = log[0]?.offset ?? end + 1
    return of === epoch && offset! <= end && offset! >= oldest - 1
  }

  function subscribe(socket: ModelSocket, { request_id, data }: Request): void {
    const since = data.since as string | undefined
    const isKnown = socket.subscription !== undefined
    const recovered = since === undefined ? undefined : isKnown || isRecoverable(since)
    const position = recovered && !isKnown ? Number(since!.split('.')[1]) : end
    const answer: SocketAnswer = { request_id, errors: [], status: 200, cursor: cursorAt(position) }
    if (recovered !== undefined) answer.recovered = recovered
    if (data.snapshot === true || recovered === false) answer.snapshot = snapshot()
    socket.toClient.push(answer)
    if (isKnown) return
    socket.subscription = { requestId: request_id }
    for (const message of log) if (message.offset > position) frame(socket, message)
  }

  return {
    sockets,
    webSocket,
    published,
    forgotten,
    publish() {
      end += 1
      const message = { offset: end, id: String(published.length) }
      published.push(message.id)
      log.push(message)
      for (const socket of sockets) if (!socket.isCut) frame(socket, message)
    },
    serve() {
      const socket = newest()
      if (!socket?.isOpen || socket.untaken === 0) return
      const request = socket.take()
      const { action, request_id } = request
      if (failing > 0) {
        failing -= 1
        const errors = [{ code: 'SB_STORE_UNAVAILABLE', message: 'away' }]
        socket.toClient.push({ request_id, errors, status: 503 })
      } else if (action === 'subscribe_state_change') {
        subscribe(socket, request)
      } else {
        if (action === 'unsubscribe_state_change') socket.subscription = undefined
        socket.toClient.push({ request_id, errors: [], status: 200 })
      }
    },
    deliver() {
      const socket = newest()
      const next = socket?.toClient.shift()
      if (next) socket?.frame(next)
    },
    open() {
      const socket = newest()
      if (!socket || socket.isOpen) return
      socket.isOpen = true
      socket.open()
    },
    refuse() {
      const socket = newest()
      if (!socket || socket.isOpen) return
      socket.isCut = true
      socket.end()
    },
    cut(code = 1006) {
      const socket = newest()
      if (!socket?.isOpen) return
      socket.isCut = true
      socket.end(code)
    },
    trim(keep) {
      log = keep === 0 ? [] : log.slice(-keep)
    },
    forget() {
      forgotten.push(published.length)
      epoch += 1
      end = 0
      log = []
      for (const socket of sockets) {
        if (socket.isCut || !socket.subscription) continue
        socket.toClient.push({
          event: 'gap',
          request_id: socket.subscription.requestId,
          data: { snapshot: snapshot() },
          cursor: cursorAt(0),
        })
      }
    },
    trouble(requests) {
      failing = requests
    },
  }
}

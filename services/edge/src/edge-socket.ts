/**
 * The WebSocket of the edge: ws reads and minds the protocol, a frame writer writes. What all sockets do alike is here once and
 * not a closure per socket: an idle connection is to cost little more than its WebSocket.
 */
import { WebSocket } from 'ws'
import type { ClientSocket, Connection } from './connection.ts'
import type { FrameWriter } from './frame-writer.ts'
import type { EdgeMetrics } from './metrics.ts'
import type { Seat } from './seats.ts'

/** What a socket needs when it is open. */
export interface Attachment {
  writer: FrameWriter
  connection: Connection
  seat: Seat
  shared: SharedBySockets
}

export interface SharedBySockets {
  metrics: Pick<EdgeMetrics, 'received' | 'receivedBytes'>
  /** Told when the socket is gone. */
  onGone(socket: EdgeSocket, code: number): void
}

export class EdgeSocket extends WebSocket implements ClientSocket {
  #attached: Attachment | undefined
  /** A ping was sent and not answered yet. */
  isUnanswered = false
  pingTurn = 0

  /** Once, when it is open. */
  attach(attachment: Attachment): void {
    this.#attached = attachment
    this.on('message', onMessage)
    this.on('ping', onPing)
    this.on('pong', onPong)
    this.on('error', onError)
    this.on('close', onClose)
  }

  get attached(): Attachment {
    if (this.#attached === undefined) throw new Error('the socket is not attached yet')
    return this.#attached
  }

  get connection(): Connection {
    return this.attached.connection
  }

  /** n.b. ws itself calls it too, to answer the client's closing or a breach of its protocol: what waits goes first, and nothing after. */
  override close(code?: number, reason?: string | Buffer): void {
    this.#attached?.writer.close()
    super.close(code, reason)
  }
}

function onMessage(this: WebSocket, data: WebSocket.RawData, isBinary: boolean): void {
  const { connection, shared } = (this as EdgeSocket).attached
  shared.metrics.received.inc()
  shared.metrics.receivedBytes.inc((data as Buffer).length)
  connection.receive(isBinary ? undefined : String(data))
}

/** n.b. ws answers it, and keeps no more than a few answers waiting. */
function onPing(this: WebSocket): void {
  ;(this as EdgeSocket).connection.receiveControl()
}

function onPong(this: WebSocket): void {
  const socket = this as EdgeSocket
  if (!socket.isUnanswered) socket.connection.receiveControl()
  socket.isUnanswered = false
}

/** n.b. ws has answered a breach of its protocol by closing already: nothing may follow its close frame. */
function onError(this: WebSocket): void {
  ;(this as EdgeSocket).connection.end()
}

function onClose(this: WebSocket, code: number): void {
  const { connection, seat, shared } = (this as EdgeSocket).attached
  connection.end()
  seat.release()
  shared.onGone(this as EdgeSocket, code)
}

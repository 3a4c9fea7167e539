/**
 * The WebSocket of the edge: ws reads and minds the protocol, a frame writer writes. What all sockets do alike is here once and
 * not a closure per socket: an idle connection is to cost little more than its WebSocket.
 */
import { WebSocket } from 'ws'
import type { ClientSocket, Connection } from './connection.ts'
import type { Frame } from './frame.ts'
import type { FrameWriter } from './frame-writer.ts'

export class EdgeSocket extends WebSocket implements ClientSocket {
  #writer: FrameWriter | undefined
  #connection: Connection | undefined
  /** A ping was sent and not answered yet. */
  isUnanswered = false
  pingTurn = 0

  /** Once, when it is open. */
  attach(writer: FrameWriter, connection: Connection): void {
    this.#writer = writer
    this.#connection = connection
    this.on('message', onMessage)
    this.on('pong', onPong)
    this.on('error', onError)
  }

  get connection(): Connection {
    if (this.#connection === undefined) throw new Error('the socket is not attached yet')
    return this.#connection
  }

  write(frame: Frame): boolean {
    return this.#writer?.write(frame) ?? false
  }

  get isCongested(): boolean {
    return this.#writer?.isCongested ?? false
  }

  async drained(): Promise<void> {
    await this.#writer?.drained()
  }

  /** n.b. ws itself calls it too, to answer the client's closing: what waits goes first. */
  override close(code?: number, reason?: string | Buffer): void {
    this.#writer?.flush()
    super.close(code, reason)
  }
}

function onMessage(this: WebSocket, data: WebSocket.RawData, isBinary: boolean): void {
  const { connection } = this as EdgeSocket
  connection.receive(isBinary ? undefined : String(data))
}

function onPong(this: WebSocket): void {
  ;(this as EdgeSocket).isUnanswered = false
}

/** n.b. ws has answered a breach of its protocol by closing already: nothing may follow its close frame. */
function onError(this: WebSocket): void {
  ;(this as EdgeSocket).connection.end()
}

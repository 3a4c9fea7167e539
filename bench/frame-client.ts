/**
 * A WebSocket client that costs next to nothing: it opens, sends a text, and counts the frames that come, by their headers. What a server can
 * send is to be measured, and not what a client library can read.
 */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'

/** Shorter frames are answers, pings and the like, and are not counted. */
const MIN_COUNTED_BYTES = 200

/** A final frame with the opcode of a ping; the edge's are empty. */
const PING = 0x89
/** Masked, empty. */
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0])

export interface FrameClientOptions {
  port: number
  path: string
  /** Sent when it is open, each as a text frame. */
  texts?: readonly string[]
  /** Resolves `open` after so many frames that are not counted (answers). */
  answers?: number
  onFrame(): void
  /** The connection has ended, after it was open. */
  onEnd?(): void
}

export interface FrameClient {
  readonly socket: Socket
  /** Rejects with the status line when the upgrade is refused, with the error when the connection fails. */
  readonly open: Promise<void>
}

export function openFrameClient(options: FrameClientOptions): FrameClient {
  const { port, path, texts = [], answers = 0, onFrame } = options
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  )
  let head = ''
  let isOpen = false
  let answered = 0
  /** Of the frame that is being read: bytes of its payload still to come. */
  let rest = 0
  let header: Buffer = Buffer.alloc(0)

  const onData = (chunk: Buffer) => {
    if (isOpen) return count(chunk)
    head += chunk.toString('latin1')
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    if (!head.startsWith('HTTP/1.1 101')) {
      reject(new Error(head.slice(0, head.indexOf('\r\n'))))
      socket.destroy()
      return
    }
    isOpen = true
    for (const text of texts) socket.write(maskedText(text))
    if (answers === 0) resolve()
    count(Buffer.from(head.slice(end + 4), 'latin1'))
  }

  function count(chunk: Buffer): void {
    let offset = 0
    while (offset < chunk.length) {
      if (rest > 0) {
        const taken = Math.min(rest, chunk.length - offset)
        rest -= taken
        offset += taken
        continue
      }
      if (header.length > 0) {
        chunk = Buffer.concat([header, chunk.subarray(offset)])
        header = Buffer.alloc(0)
        offset = 0
      }
      const short = chunk[offset + 1]
      const size = short === undefined || short < 126 ? 2 : short === 126 ? 4 : 10
      if (chunk.length - offset < size) {
        header = chunk.subarray(offset)
        return
      }
      rest =
        size === 2
          ? (short ?? 0)
          : size === 4
            ? (chunk[offset + 2]! << 8) | chunk[offset + 3]!
            : Number(chunk.readBigUInt64BE(offset + 2))
      if (chunk[offset] === PING) socket.write(PONG)
      offset += size
      if (rest >= MIN_COUNTED_BYTES) onFrame()
      else if (++answered === answers) resolve()
    }
  }

  socket.on('data', onData)
  socket.on('error', reject)
  socket.on('close', () => {
    if (isOpen) options.onEnd?.()
    reject(new Error('the connection was closed'))
  })
  return { socket, open: promise }
}

/** Of at most 64 KiB. */
function maskedText(text: string): Buffer {
  const payload = Buffer.from(text)
  const length =
    payload.length < 126
      ? [0x80 | payload.length]
      : [0x80 | 126, payload.length >> 8, payload.length & 0xff]
  // A mask of zeros changes nothing, and is a mask all the same.
  return Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), payload])
}

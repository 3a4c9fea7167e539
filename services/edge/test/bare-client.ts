/** A client that sends whatever bytes it is told to: frames that are sound, and frames that no library would send. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** Source: https://www.rfc-editor.org/rfc/rfc6455#section-5.2 */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export interface FrameParts {
  opcode: number
  payload: Buffer
  isFinal?: boolean
  isMasked?: boolean
  /** Of the three reserved bits. */
  reserved?: number
  /** Instead of the payload's own. */
  announcedLength?: number
}

/** A client's frame, or what looks like one. */
export function clientFrame({
  opcode,
  payload,
  isFinal = true,
  isMasked = true,
  reserved = 0,
  announcedLength = payload.length,
}: FrameParts): Buffer {
  const first = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode
  const mask = isMasked ? 0x80 : 0
  const header =
    announcedLength < 126
      ? Buffer.from([first, mask | announcedLength])
      : announcedLength < 65_536
        ? Buffer.from([first, mask | 126, announcedLength >> 8, announcedLength & 0xff])
        : Buffer.concat([Buffer.from([first, mask | 127]), bigEndian64(announcedLength)])
  if (!isMasked) return Buffer.concat([header, payload])
  const key = Buffer.from([0x1f, 0x2e, 0x3d, 0x4c])
  const masked = payload.map((byte, index) => byte ^ (key[index % 4] ?? 0))
  return Buffer.concat([header, key, masked])
}

export interface BareClient {
  readonly socket: Socket
  /** Answers that came, oldest first. */
  readonly answers: { request_id: unknown; status: number }[]
  /** Other text frames that came. */
  readonly frames: number
  /** Undefined: it came to an end without one. */
  readonly closeCode: number | undefined
  readonly isEnded: boolean
}

/** Resolves when the upgrade has succeeded. */
export async function openBareClient(origin: string, token: string): Promise<BareClient> {
  const [host = '', port = ''] = origin.split(':')
  const socket = connect({ host, port: Number(port) })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(
    `GET /v1/socket?token=${token} HTTP/1.1\r\nHost: ${origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  )
  const [head] = (await once(socket, 'data')) as [Buffer]
  if (!head.toString().startsWith('HTTP/1.1 101')) throw new Error(head.toString())

  const client = {
    socket,
    answers: [] as { request_id: unknown; status: number }[],
    frames: 0,
    closeCode: undefined as number | undefined,
    isEnded: false,
  }
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    for (let frame = firstFrame(rest); frame; frame = firstFrame(rest)) {
      rest = rest.subarray(frame.end)
      const isClose = frame.opcode === OPCODE.close && frame.payload.length > 0
      if (isClose) client.closeCode = frame.payload.readUInt16BE(0)
      if (frame.opcode !== OPCODE.text) continue
      const text = JSON.parse(frame.payload.toString()) as { request_id: unknown; status: number }
      if ('status' in text) client.answers.push(text)
      else client.frames++
    }
  })
  socket.on('close', () => {
    client.isEnded = true
  })
  return client
}

/** Undefined: not all of it is there. */
function firstFrame(bytes: Buffer): { opcode: number; payload: Buffer; end: number } | undefined {
  if (bytes.length < 2) return undefined
  const short = bytes.readUInt8(1)
  const start = short < 126 ? 2 : short === 126 ? 4 : 10
  if (bytes.length < start) return undefined
  const length =
    start === 2 ? short : start === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  const end = start + length
  if (bytes.length < end) return undefined
  return { opcode: bytes.readUInt8(0) & 0x0f, payload: bytes.subarray(start, end), end }
}

function bigEndian64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

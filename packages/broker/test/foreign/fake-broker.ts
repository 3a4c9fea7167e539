/** A broker that says what it is told to, byte by byte: for what no real one would do. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { longString, shortString, table, u8, u16, u32, u64 } from '../../src/foreign/fields.ts'
import { FRAME, type Frame, FrameReader, frame, methodFrame } from '../../src/foreign/frames.ts'

export const said = {
  start: (mechanisms = 'PLAIN AMQPLAIN') =>
    methodFrame(
      0,
      [10, 10],
      Buffer.from([0, 9]),
      table({ product: 'fake', capabilities: { basic: true } }),
      longString(mechanisms),
      longString('en_US'),
    ),
  tune: (frameMax = 131_072) => methodFrame(0, [10, 30], u16(2_047), u32(frameMax), u16(60)),
  openOk: () => methodFrame(0, [10, 41], shortString('')),
  close: (code: number, text: string) =>
    methodFrame(0, [10, 50], u16(code), shortString(text), u16(0), u16(0)),
  channelOpenOk: (channel: number) => methodFrame(channel, [20, 11], longString('')),
  channelClose: (channel: number, code: number, text: string) =>
    methodFrame(channel, [20, 40], u16(code), shortString(text), u16(60), u16(40)),
  selectOk: (channel: number) => methodFrame(channel, [85, 11]),
  ack: (channel: number, tag: number, isMultiple = 0) =>
    methodFrame(channel, [60, 80], u64(tag), u8(isMultiple)),
  nack: (channel: number, tag: number) => methodFrame(channel, [60, 120], u64(tag), u8(0)),
  returned: (channel: number) =>
    methodFrame(
      channel,
      [60, 50],
      u16(312),
      shortString('NO_ROUTE'),
      shortString('x'),
      shortString('k'),
    ),
  header: (channel: number, bodyBytes: number, messageId: string) =>
    frame(
      FRAME.header,
      channel,
      u16(60),
      u16(0),
      u64(bodyBytes),
      u16(1 << 7),
      shortString(messageId),
    ),
  body: (channel: number, bytes: number) => frame(FRAME.body, channel, Buffer.alloc(bytes)),
}

/** What comes, by the class and method of a frame, or its type when it is no method. */
export type Answers = Readonly<Record<string, (socket: Socket, frame: Frame) => void>>

const send = (bytes: () => Buffer) => (socket: Socket) => void socket.write(bytes())

/** What a sound broker says up to the publish. */
export const SOUND: Answers = {
  header: send(said.start),
  '10.11': send(said.tune),
  '10.40': send(said.openOk),
  '20.10': (socket, { channel }) => void socket.write(said.channelOpenOk(channel)),
  '85.10': (socket, { channel }) => void socket.write(said.selectOk(channel)),
}

export interface FakeBroker extends AsyncDisposable {
  dial(signal: AbortSignal): Promise<Socket>
  open(): number
  accepted(): number
  /** Reads again from who was paused. */
  resume(): void
}

export async function listenAs(answers: Answers): Promise<FakeBroker> {
  const sockets = new Set<Socket>()
  let accepted = 0
  const server = createServer((socket) => {
    accepted += 1
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    const frames = new FrameReader()
    let isFirst = true
    socket.on('data', (chunk: Buffer) => {
      const rest = isFirst ? chunk.subarray(8) : chunk
      if (isFirst) answers.header?.(socket, { type: 0, channel: 0, payload: chunk })
      isFirst = false
      for (const one of frames.framesIn(rest)) {
        const { type, payload } = one
        const key =
          type === FRAME.method
            ? `${payload.readUInt16BE(0)}.${payload.readUInt16BE(2)}`
            : `${type}`
        answers[key]?.(socket, one)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    async dial(signal) {
      const socket = connect({ host: '127.0.0.1', port, signal })
      await once(socket, 'connect')
      return socket
    },
    open: () => sockets.size,
    accepted: () => accepted,
    resume: () => {
      for (const socket of sockets) socket.resume()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

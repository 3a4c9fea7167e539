/** Frames of AMQP 0-9-1: type, channel, payload. */
import { u8, u16, u32 } from './fields.ts'

export const FRAME = { method: 1, header: 2, body: 3, heartbeat: 8 } as const

/** Offered to a broker when a connection is made, and never more is taken from one. */
export const MAX_FRAME_BYTES = 131_072
/** Around the payload. */
export const FRAME_OVERHEAD_BYTES = 8
const HEAD_BYTES = 7
const END = 0xce

export interface Frame {
  readonly type: number
  readonly channel: number
  readonly payload: Buffer
}

export function frame(type: number, channel: number, ...payload: readonly Buffer[]): Buffer {
  const length = payload.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([u8(type), u16(channel), u32(length), ...payload, u8(END)])
}

export function methodFrame(
  channel: number,
  [classId, methodId]: MethodId,
  ...fields: readonly Buffer[]
): Buffer {
  return frame(FRAME.method, channel, u16(classId), u16(methodId), ...fields)
}

export type MethodId = readonly [classId: number, methodId: number]

/** Cuts what comes in into frames. Holds no more than one frame of the allowed length and the chunk it ends in. */
export class FrameReader {
  #chunks: Buffer[] = []
  #length = 0
  /** Nothing can be told before so many bytes are there. */
  #needed = HEAD_BYTES

  /** The frames that are complete with this chunk. Throws `Error` for what is no frame, or too long a one; then it is of no more use. */
  framesIn(chunk: Buffer): Frame[] {
    const frames: Frame[] = []
    this.#chunks.push(chunk)
    this.#length += chunk.length
    while (this.#length >= this.#needed) {
      const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
      this.#chunks = [bytes]
      const payloadLength = bytes.readUInt32BE(3)
      const length = payloadLength + FRAME_OVERHEAD_BYTES
      if (length > MAX_FRAME_BYTES) throw new Error('a frame is longer than it may be')
      this.#needed = length
      if (bytes.length < length) break
      if (bytes[length - 1] !== END) throw new Error('a frame does not end as frames do')
      this.#rest(bytes.subarray(length))
      frames.push({
        type: bytes.readUInt8(0),
        channel: bytes.readUInt16BE(1),
        payload: bytes.subarray(HEAD_BYTES, HEAD_BYTES + payloadLength),
      })
    }
    return frames
  }

  #rest(bytes: Buffer): void {
    this.#chunks = bytes.length === 0 ? [] : [bytes]
    this.#length = bytes.length
    this.#needed = HEAD_BYTES
  }
}

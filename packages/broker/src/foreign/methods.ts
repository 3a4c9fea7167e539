/** The methods of AMQP 0-9-1 that publishing with confirms needs. Source: https://www.rabbitmq.com/amqp-0-9-1-reference */
import {
  FieldReader,
  longString,
  shortString,
  type Table,
  table,
  u8,
  u16,
  u32,
  u64,
} from './fields.ts'
import { FRAME, FRAME_OVERHEAD_BYTES, frame, type MethodId, methodFrame } from './frames.ts'

export const PROTOCOL_HEADER = Buffer.from('AMQP\0\0\x09\x01', 'latin1')

const START: MethodId = [10, 10]
const START_OK: MethodId = [10, 11]
const TUNE: MethodId = [10, 30]
const TUNE_OK: MethodId = [10, 31]
const OPEN: MethodId = [10, 40]
const OPEN_OK: MethodId = [10, 41]
const CLOSE: MethodId = [10, 50]
const CLOSE_OK: MethodId = [10, 51]
const BLOCKED: MethodId = [10, 60]
const UNBLOCKED: MethodId = [10, 61]
const CHANNEL_OPEN: MethodId = [20, 10]
const CHANNEL_OPEN_OK: MethodId = [20, 11]
const CHANNEL_CLOSE: MethodId = [20, 40]
const CHANNEL_CLOSE_OK: MethodId = [20, 41]
const PUBLISH: MethodId = [60, 40]
const RETURN: MethodId = [60, 50]
const ACK: MethodId = [60, 80]
const NACK: MethodId = [60, 120]
const CONFIRM_SELECT: MethodId = [85, 10]
const CONFIRM_SELECT_OK: MethodId = [85, 11]

const BASIC_CLASS = 60
const REPLY_SUCCESS = 200
const MANDATORY = 1

/** What a broker may say to somebody who publishes. Anything else is a breach of the protocol. */
export type Said =
  | { kind: 'start'; mechanisms: readonly string[] }
  | { kind: 'tune'; channelMax: number; frameMax: number; heartbeatSeconds: number }
  | { kind: 'close' | 'channel_close'; replyCode: number; replyText: string }
  | { kind: 'ack' | 'nack'; tag: number; isMultiple: boolean }
  | {
      kind:
        | 'open_ok'
        | 'close_ok'
        | 'blocked'
        | 'unblocked'
        | 'channel_open_ok'
        | 'channel_close_ok'
        | 'confirm_select_ok'
        | 'return'
    }

/** Throws `Error` for a method that is none of these, or cut off. */
export function saidIn(payload: Buffer): Said {
  const fields = new FieldReader(payload)
  const method = `${fields.u16()}.${fields.u16()}`
  const read = READERS.get(method)
  if (!read) throw new Error(`the method ${method} was not expected`)
  return read(fields)
}

const READERS = new Map<string, (fields: FieldReader) => Said>(
  (
    [
      [START, readStart],
      [TUNE, readTune],
      [OPEN_OK, () => ({ kind: 'open_ok' })],
      [CLOSE, (fields) => ({ kind: 'close', ...readReply(fields) })],
      [CLOSE_OK, () => ({ kind: 'close_ok' })],
      [BLOCKED, () => ({ kind: 'blocked' })],
      [UNBLOCKED, () => ({ kind: 'unblocked' })],
      [CHANNEL_OPEN_OK, () => ({ kind: 'channel_open_ok' })],
      [CHANNEL_CLOSE, (fields) => ({ kind: 'channel_close', ...readReply(fields) })],
      [CHANNEL_CLOSE_OK, () => ({ kind: 'channel_close_ok' })],
      [CONFIRM_SELECT_OK, () => ({ kind: 'confirm_select_ok' })],
      [RETURN, () => ({ kind: 'return' })],
      [ACK, (fields) => ({ kind: 'ack', ...readConfirm(fields) })],
      [NACK, (fields) => ({ kind: 'nack', ...readConfirm(fields) })],
    ] satisfies [MethodId, (fields: FieldReader) => Said][]
  ).map(([id, read]) => [id.join('.'), read]),
)

function readStart(fields: FieldReader): Said {
  fields.u16()
  fields.skipTable()
  return { kind: 'start', mechanisms: fields.longString().split(' ') }
}

function readTune(fields: FieldReader): Said {
  const channelMax = fields.u16()
  const frameMax = fields.u32()
  return { kind: 'tune', channelMax, frameMax, heartbeatSeconds: fields.u16() }
}

function readReply(fields: FieldReader) {
  return { replyCode: fields.u16(), replyText: fields.shortString() }
}

function readConfirm(fields: FieldReader) {
  const tag = fields.u64()
  return { tag, isMultiple: (fields.u8() & 1) === 1 }
}

export function startOk(properties: Table, username: string, password: string): Buffer {
  const plain = `\0${username}\0${password}`
  return methodFrame(
    0,
    START_OK,
    table(properties),
    shortString('PLAIN'),
    longString(plain),
    shortString('en_US'),
  )
}

export function tuneOk(channelMax: number, frameMax: number, heartbeatSeconds: number): Buffer {
  return methodFrame(0, TUNE_OK, u16(channelMax), u32(frameMax), u16(heartbeatSeconds))
}

export function open(vhost: string): Buffer {
  return methodFrame(0, OPEN, shortString(vhost), shortString(''), u8(0))
}

export function close(): Buffer {
  return methodFrame(0, CLOSE, u16(REPLY_SUCCESS), shortString('done'), u16(0), u16(0))
}

export function closeOk(): Buffer {
  return methodFrame(0, CLOSE_OK)
}

export function channelOpen(channel: number): Buffer {
  return methodFrame(channel, CHANNEL_OPEN, shortString(''))
}

export function channelClose(channel: number): Buffer {
  const reply = [u16(REPLY_SUCCESS), shortString('done'), u16(0), u16(0)]
  return methodFrame(channel, CHANNEL_CLOSE, ...reply)
}

export function channelCloseOk(channel: number): Buffer {
  return methodFrame(channel, CHANNEL_CLOSE_OK)
}

export function confirmSelect(channel: number): Buffer {
  return methodFrame(channel, CONFIRM_SELECT, u8(0))
}

export function heartbeat(): Buffer {
  return frame(FRAME.heartbeat, 0)
}

export interface ForeignMessage {
  exchange: string
  routingKey: string
  messageId: string
  /** What it is, as AMQP's `type`. */
  type?: string | undefined
  contentType: string
  timestampMs: number
  headers: Readonly<Record<string, string>>
  body: Uint8Array
}

/** The bits of the properties that are there, and their order on the wire. */
const FLAGS = {
  contentType: 1 << 15,
  contentEncoding: 1 << 14,
  headers: 1 << 13,
  deliveryMode: 1 << 12,
  priority: 1 << 11,
  correlationId: 1 << 10,
  replyTo: 1 << 9,
  expiration: 1 << 8,
  messageId: 1 << 7,
  timestamp: 1 << 6,
  type: 1 << 5,
}
const PERSISTENT = 2

/** A mandatory, persistent message. Throws `RangeError` when a name is longer than 255 bytes. */
export function publish(channel: number, message: ForeignMessage, maxFrameBytes: number): Buffer[] {
  const { exchange, routingKey, messageId, type, contentType, timestampMs, headers, body } = message
  const flags =
    FLAGS.contentType |
    FLAGS.headers |
    FLAGS.deliveryMode |
    FLAGS.messageId |
    FLAGS.timestamp |
    (type === undefined ? 0 : FLAGS.type)
  const method = methodFrame(
    channel,
    PUBLISH,
    u16(0),
    shortString(exchange),
    shortString(routingKey),
    u8(MANDATORY),
  )
  const header = frame(
    FRAME.header,
    channel,
    u16(BASIC_CLASS),
    u16(0),
    u64(body.length),
    u16(flags),
    shortString(contentType),
    table(headers),
    u8(PERSISTENT),
    shortString(messageId),
    u64(Math.floor(timestampMs / 1_000)),
    ...(type === undefined ? [] : [shortString(type)]),
  )
  const frames = [method, header]
  const step = maxFrameBytes - FRAME_OVERHEAD_BYTES
  for (let from = 0; from < body.length; from += step) {
    frames.push(frame(FRAME.body, channel, Buffer.from(body.subarray(from, from + step))))
  }
  return frames
}

/** The length and the identity of a message that comes back. Throws `RangeError` when its header is cut off. */
export function returnedIn(payload: Buffer): { bodyBytes: number; messageId: string } {
  const fields = new FieldReader(payload)
  fields.u32()
  const bodyBytes = fields.u64()
  const flags = fields.u16()
  if (flags & FLAGS.contentType) fields.shortString()
  if (flags & FLAGS.contentEncoding) fields.shortString()
  if (flags & FLAGS.headers) fields.skipTable()
  if (flags & FLAGS.deliveryMode) fields.u8()
  if (flags & FLAGS.priority) fields.u8()
  if (flags & FLAGS.correlationId) fields.shortString()
  if (flags & FLAGS.replyTo) fields.shortString()
  if (flags & FLAGS.expiration) fields.shortString()
  return { bodyBytes, messageId: flags & FLAGS.messageId ? fields.shortString() : '' }
}

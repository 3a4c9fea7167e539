/**
 * One connection to a broker of somebody else's: the handshake, its channels, heartbeats, and its end.
 *
 * Nothing that the other side sends is believed: a frame is bounded, a method that was not expected ends the connection, what is returned
 * is counted and thrown away, and who sends more than we ever caused is cut off. The end is told once, with a reason.
 *
 * n.b. this is not amqplib, on purpose: that one is made for a broker one trusts. A server which closes the connection in the packet that
 * opens it makes it throw where nobody can catch, and one that sends no frames there makes it loop for ever.
 */
import type { Socket } from 'node:net'
import { ForeignChannel, type Publish } from './channel.ts'
import type { ForeignEnd } from './foreign-broker.ts'
import { FRAME, type Frame, FrameReader, MAX_FRAME_BYTES } from './frames.ts'
import {
  channelClose,
  close,
  closeOk,
  heartbeat,
  open,
  PROTOCOL_HEADER,
  type Said,
  saidIn,
  startOk,
  tuneOk,
} from './methods.ts'

const HEARTBEAT_SECONDS = 10
const MAX_CHANNELS = 32
/** Least of AMQP. */
const MIN_FRAME_BYTES = 4_096
/** What may come beyond what went: the handshake, heartbeats, the frames around returned messages. */
const READ_ALLOWANCE_BYTES = 1024 * 1024
/** Written and not taken by the broker; beyond it nothing more is sent. */
const MAX_BACKLOG_BYTES = 4 * 1024 * 1024
const CLOSE_TIMEOUT_MS = 1_000

export interface ForeignCredentials {
  vhost: string
  username: string
  password: string
}

export interface ForeignConnectionOptions extends ForeignCredentials {
  /** As the broker's own tools show it. */
  name: string
}

type State = 'start' | 'tune' | 'open' | 'ready' | 'closing' | 'ended'

export class ForeignConnection {
  readonly address: string
  /** Resolves when messages may be published; never rejects. */
  readonly ready: Promise<ForeignEnd | undefined>
  readonly #options: ForeignConnectionOptions
  readonly #socket: Socket
  readonly #frames = new FrameReader()
  /** By exchange; the least recently used first. */
  readonly #channels = new Map<string, ForeignChannel>()
  /** Closed by us, and not yet by the broker. */
  readonly #closingNumbers = new Set<number>()
  readonly #ended = Promise.withResolvers<ForeignEnd>()
  readonly #isReady = Promise.withResolvers<undefined>()
  #state: State = 'start'
  #lastEnd: ForeignEnd = failure('the connection is being closed')
  #maxFrameBytes = MAX_FRAME_BYTES
  #maxChannels = MAX_CHANNELS
  #beating: NodeJS.Timeout | undefined
  #readAtLastBeat = 0
  #silentBeats = 0

  /** Of a socket that is connected. */
  constructor(options: ForeignConnectionOptions, socket: Socket) {
    this.#options = options
    this.#socket = socket
    this.address = socket.remoteAddress ?? ''
    this.ready = Promise.race([this.#isReady.promise, this.#ended.promise])
    socket.setNoDelay(true)
    socket.on('error', (error) => this.fail(error))
    socket.on('close', () => this.fail(new Error('the broker closed the connection')))
    socket.on('end', () => this.fail(new Error('the broker closed the connection')))
    socket.on('data', (chunk: Buffer) => this.#received(chunk))
    socket.write(PROTOCOL_HEADER)
  }

  get isOver(): boolean {
    return this.#state === 'ended' || this.#state === 'closing'
  }

  /** Only when it is ready. */
  publish(publish: Publish): { withdraw(): void } {
    const channel = this.isOver ? undefined : this.#channelOf(publish.message.exchange)
    const fault = this.#faultOf(channel)
    if (fault) publish.settle(fault)
    else channel?.publish(publish)
    return { withdraw: () => channel?.withdraw(publish) }
  }

  /** Ends it at once. Idempotent. */
  fail(error: Error): void {
    this.#end({ kind: 'failed', error })
  }

  /** Says goodbye, and waits a second for the answer; what is under way ends as failed. Idempotent. */
  async close(): Promise<void> {
    if (this.#state === 'ready') {
      this.#state = 'closing'
      this.#send([close()])
      const timer = setTimeout(() => this.fail(new Error('closed')), CLOSE_TIMEOUT_MS)
      await this.#ended.promise
      clearTimeout(timer)
    }
    this.fail(new Error('closed'))
  }

  #faultOf(channel: ForeignChannel | undefined): ForeignEnd | undefined {
    if (this.isOver) return this.#lastEnd
    if (!channel) return failure('as many exchanges as may be are in use')
    const isBehind = this.#socket.writableLength > MAX_BACKLOG_BYTES
    return isBehind ? failure('the broker does not take what is sent') : undefined
  }

  #channelOf(exchange: string): ForeignChannel | undefined {
    const known = this.#channels.get(exchange)
    if (!known && !this.#makeRoom()) return undefined
    const channel = known ?? new ForeignChannel(this.#freeNumber(), this.#channelDeps())
    this.#channels.delete(exchange)
    this.#channels.set(exchange, channel)
    return channel
  }

  #channelDeps() {
    return {
      send: (bytes: readonly Buffer[]) => this.#send(bytes),
      maxFrameBytes: this.#maxFrameBytes,
    }
  }

  #makeRoom(): boolean {
    if (this.#channels.size + this.#closingNumbers.size < this.#maxChannels) return true
    for (const [exchange, channel] of this.#channels) {
      if (channel.load > 0) continue
      this.#channels.delete(exchange)
      this.#closingNumbers.add(channel.number)
      this.#send([channelClose(channel.number)])
      // n.b. its number is free when the broker says so; the next asks again.
      return false
    }
    return false
  }

  #freeNumber(): number {
    const taken = new Set([...this.#channels.values()].map(({ number }) => number))
    for (let number = 1; ; number += 1) {
      if (!taken.has(number) && !this.#closingNumbers.has(number)) return number
    }
  }

  #send(bytes: readonly Buffer[]): void {
    if (this.#state === 'ended') return
    this.#socket.cork()
    for (const part of bytes) this.#socket.write(part)
    this.#socket.uncork()
  }

  #received(chunk: Buffer): void {
    if (this.#state === 'ended') return
    try {
      const { bytesRead, bytesWritten } = this.#socket
      if (bytesRead > bytesWritten + READ_ALLOWANCE_BYTES) {
        throw new Error('the broker sends more than it was asked for')
      }
      for (const frame of this.#frames.framesIn(chunk)) {
        this.#accept(frame)
      }
    } catch (error) {
      this.fail(new Error(`no AMQP broker: ${(error as Error).message}`))
    }
  }

  #accept(frame: Frame): void {
    if (frame.type === FRAME.heartbeat || this.#state === 'ended') return
    const said = frame.type === FRAME.method ? saidIn(frame.payload) : undefined
    if (said?.kind === 'close') this.#closedByBroker(said)
    else if (said?.kind === 'close_ok' && this.#state === 'closing') this.fail(new Error('closed'))
    else if (this.#state === 'closing') return
    else if (frame.channel === 0) this.#acceptOwn(said)
    else if (this.#state === 'ready') this.#acceptOfChannel(frame, said)
    else throw new Error('a channel spoke before the connection was open')
  }

  #acceptOwn(said: Said | undefined): void {
    if (said?.kind === 'start' && this.#state === 'start') this.#start(said.mechanisms)
    else if (said?.kind === 'tune' && this.#state === 'tune') this.#tune(said)
    else if (said?.kind === 'open_ok' && this.#state === 'open') this.#opened()
    // A broker short of memory stops reading: the messages end by their own deadline.
    else if (said?.kind === 'blocked' || said?.kind === 'unblocked') return
    else throw new Error('a method came out of turn')
  }

  #opened(): void {
    this.#state = 'ready'
    this.#isReady.resolve(undefined)
  }

  #acceptOfChannel(frame: Frame, said: Said | undefined): void {
    const { channel: number } = frame
    if (this.#closingNumbers.has(number)) {
      if (said?.kind === 'channel_close_ok') this.#closingNumbers.delete(number)
      return
    }
    const found = this.#channels.entries().find(([, channel]) => channel.number === number)
    if (!found) throw new Error('a channel spoke that is not open')
    const [exchange, channel] = found
    if (said?.kind === 'channel_close') {
      this.#channels.delete(exchange)
      channel.closedByBroker(said)
    } else {
      channel.accept(frame, said)
    }
  }

  #start(mechanisms: readonly string[]): void {
    if (!mechanisms.includes('PLAIN')) throw new Error('it takes no user name and password')
    const { username, password, name } = this.#options
    const capabilities = {
      authentication_failure_close: true,
      publisher_confirms: true,
      'basic.nack': true,
      'connection.blocked': true,
    }
    const properties = { product: 'signalbox', connection_name: name, capabilities }
    this.#state = 'tune'
    this.#send([startOk(properties, username, password)])
  }

  #tune(said: { channelMax: number; frameMax: number; heartbeatSeconds: number }): void {
    const { channelMax, frameMax, heartbeatSeconds } = said
    if (frameMax !== 0 && frameMax < MIN_FRAME_BYTES) throw new Error('its frames are too short')
    this.#maxFrameBytes = Math.min(frameMax || MAX_FRAME_BYTES, MAX_FRAME_BYTES)
    this.#maxChannels = Math.min(channelMax || MAX_CHANNELS, MAX_CHANNELS)
    const seconds = Math.min(heartbeatSeconds || HEARTBEAT_SECONDS, HEARTBEAT_SECONDS)
    this.#beating = setInterval(() => this.#beat(), seconds * 500)
    this.#beating.unref()
    this.#state = 'open'
    this.#send([tuneOk(this.#maxChannels, this.#maxFrameBytes, seconds), open(this.#options.vhost)])
  }

  /** Twice per heartbeat; four of them without a sign of life end the connection. */
  #beat(): void {
    this.#silentBeats = this.#socket.bytesRead === this.#readAtLastBeat ? this.#silentBeats + 1 : 0
    this.#readAtLastBeat = this.#socket.bytesRead
    if (this.#silentBeats >= 4) this.fail(new Error('the broker gives no sign of life'))
    else this.#send([heartbeat()])
  }

  #closedByBroker({ replyCode, replyText }: { replyCode: number; replyText: string }): void {
    this.#send([closeOk()])
    this.#end({ kind: 'rejected', replyCode, replyText })
  }

  #end(end: ForeignEnd): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#lastEnd = end
    clearInterval(this.#beating)
    this.#closeSocket(end)
    this.#ended.resolve(end)
    for (const channel of this.#channels.values()) channel.end(end)
    this.#channels.clear()
  }
  /** n.b. what a broker does not read is never written, so the last word has a deadline. */
  #closeSocket({ kind }: ForeignEnd): void {
    if (kind === 'failed') {
      this.#socket.destroy()
      return
    }
    this.#socket.destroySoon()
    setTimeout(() => this.#socket.destroy(), CLOSE_TIMEOUT_MS).unref()
  }
}

function failure(message: string): ForeignEnd {
  return { kind: 'failed', error: new Error(message) }
}

/**
 * One AMQP channel that publishes to one exchange: confirms, returns, and the broker's closing it.
 *
 * A channel serves one exchange because a broker closes the channel when an exchange is missing or forbidden, with all that is under way on it.
 * States: *opening* (messages wait), *open*, *ended*. A message that timed out keeps its place until the broker answers, without its body.
 */
import type { ForeignEnd } from './foreign-broker.ts'
import { FRAME, type Frame } from './frames.ts'
import {
  channelCloseOk,
  channelOpen,
  confirmSelect,
  type ForeignMessage,
  publish,
  returnedIn,
  type Said,
} from './methods.ts'

/** Messages sent and not confirmed, timed out ones included: beyond it the broker is not answering. */
const MAX_UNCONFIRMED = 10_000
/** A returned message may be so much longer than the longest that was sent. */
const MAX_HEADER_GROWTH_BYTES = 1_024

export interface ForeignChannelDeps {
  send(bytes: readonly Buffer[]): void
  maxFrameBytes: number
}

export interface Publish {
  readonly message: ForeignMessage
  readonly settle: (end: ForeignEnd) => void
}

interface Unconfirmed {
  readonly messageId: string
  isReturned: boolean
  readonly settle: (end: ForeignEnd) => void
}

export class ForeignChannel {
  readonly number: number
  readonly #deps: ForeignChannelDeps
  #state: 'opening' | 'open' | 'ended' = 'opening'
  #waiting: Publish[] = []
  /** By delivery tag, ascending. */
  readonly #unconfirmed = new Map<number, Unconfirmed>()
  #lastTag = 0
  #longestBodyBytes = 0
  /** Of a message that is being returned: its header is awaited (-1), or so many bytes of its body. */
  #returnBytesLeft: number | undefined

  constructor(number: number, deps: ForeignChannelDeps) {
    this.number = number
    this.#deps = deps
    deps.send([channelOpen(number)])
  }

  /** Messages waiting or unconfirmed. */
  get load(): number {
    return this.#waiting.length + this.#unconfirmed.size
  }

  publish(message: Publish): void {
    if (this.#state === 'open') this.#send(message)
    else this.#waiting.push(message)
  }

  /** Takes a message out of the line when it has not been sent yet. */
  withdraw(message: Publish): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting !== message)
  }

  /** Throws `Error` at a breach of the protocol. */
  accept(frame: Frame, said: Said | undefined): void {
    if (frame.type === FRAME.header) this.#acceptHeader(frame.payload)
    else if (frame.type === FRAME.body) this.#acceptBody(frame.payload)
    else if (said) this.#acceptMethod(said)
    else throw new Error('a frame of an unknown type came')
  }

  /** Ends everything on it; `said` is what the broker closed it with. */
  closedByBroker(said: { replyCode: number; replyText: string }): void {
    this.#deps.send([channelCloseOk(this.number)])
    this.end({ kind: 'rejected', replyCode: said.replyCode, replyText: said.replyText })
  }

  end(end: ForeignEnd): void {
    this.#state = 'ended'
    const all = [...this.#unconfirmed.values(), ...this.#waiting]
    this.#unconfirmed.clear()
    this.#waiting = []
    for (const { settle } of all) settle(end)
  }

  #acceptMethod(said: Said): void {
    if (said.kind === 'channel_open_ok') this.#deps.send([confirmSelect(this.number)])
    else if (said.kind === 'confirm_select_ok') this.#opened()
    else if (said.kind === 'ack') this.#confirmed(said.tag, said.isMultiple, 'ack')
    else if (said.kind === 'nack') this.#confirmed(said.tag, said.isMultiple, 'nack')
    else if (said.kind === 'return') this.#returnBytesLeft = -1
    else throw new Error('a method on a channel was not expected')
  }

  #opened(): void {
    if (this.#state !== 'opening') throw new Error('a channel opened twice')
    this.#state = 'open'
    for (const message of this.#waiting.splice(0)) this.#send(message)
  }

  #send({ message, settle }: Publish): void {
    if (this.#unconfirmed.size >= MAX_UNCONFIRMED) {
      settle({ kind: 'failed', error: new Error('the broker confirms nothing') })
      return
    }
    this.#lastTag += 1
    this.#longestBodyBytes = Math.max(this.#longestBodyBytes, message.body.length)
    const { messageId } = message
    this.#unconfirmed.set(this.#lastTag, { messageId, isReturned: false, settle })
    this.#deps.send(publish(this.number, message, this.#deps.maxFrameBytes))
  }

  #confirmed(tag: number, isMultiple: boolean, answer: 'ack' | 'nack'): void {
    if (tag > this.#lastTag) throw new Error('a message was confirmed that was never sent')
    const upTo = tag === 0 ? this.#lastTag : tag
    const tags = isMultiple ? this.#unconfirmed.keys().filter((known) => known <= upTo) : [tag]
    for (const known of [...tags]) {
      const publish = this.#unconfirmed.get(known)
      this.#unconfirmed.delete(known)
      if (answer === 'nack') publish?.settle({ kind: 'nacked' })
      else publish?.settle({ kind: publish.isReturned ? 'unroutable' : 'routed' })
    }
  }

  /** n.b. a broker returns a message before it confirms it, so the first of that identity that has not come back yet is meant. */
  #acceptHeader(payload: Buffer): void {
    if (this.#returnBytesLeft !== -1) throw new Error('a header came without a method')
    const { bodyBytes, messageId } = returnedIn(payload)
    if (bodyBytes > this.#longestBodyBytes + MAX_HEADER_GROWTH_BYTES) {
      throw new Error('a message comes back that was never sent')
    }
    this.#returnBytesLeft = bodyBytes === 0 ? undefined : bodyBytes
    for (const publish of this.#unconfirmed.values()) {
      if (publish.messageId !== messageId || publish.isReturned) continue
      publish.isReturned = true
      return
    }
  }

  #acceptBody(payload: Buffer): void {
    const left = (this.#returnBytesLeft ?? 0) - payload.length
    if (left < 0) throw new Error('a body came that was not announced')
    this.#returnBytesLeft = left === 0 ? undefined : left
  }
}

/**
 * Publishing with confirms: a bounded window of messages in flight, and a line of those that wait for room.
 *
 * A message waits while the window or the socket's buffer is full, while the broker blocks publishers, and while there is no
 * AMQP channel; it leaves the line in order. A timer ends its wait, in the line or in flight. One that timed out in flight
 * keeps its place in the window until the broker answers: otherwise a slow broker would be sent ever more.
 *
 * One that the broker refuses (a nack) waits for another AMQP channel and is sent again on that, before the line: a channel that met a quorum
 * queue when the leader it was told of was dead is refused by it until that node is back, however sound the queue is by then. What goes
 * to the same place waits behind it, so that nothing is overtaken but what was in flight and is taken after all. One that timed
 * out in flight is a reason for another channel as well.
 *
 * The broker is *silent* when a message timed out in flight and nothing at all was answered since that was sent.
 */
import { InvalidInputError, UnavailableError } from '@signalbox/kit'
import type { ConfirmChannel, Message, Options } from 'amqplib'
import { Fifo } from '../fifo.ts'
import { InHand } from '../in-hand.ts'
import type { OutgoingMessage, PublishOutcome } from '../port.ts'
import { RefusedError, UnconfirmedError } from '../publish-error.ts'
import { SLOT_HEADER } from '../relay-slot.ts'

/** Carries the number of the publish, because a returned message comes back with nothing else that is unique. */
const NUMBER_HEADER = 'x-signalbox-publish'

/** What amqplib calls a nack; a channel that closes gives another error to what it leaves unconfirmed. */
const REFUSAL = 'message nacked'

/** A short string of AMQP. Source: https://www.rabbitmq.com/docs/specification */
const MAX_SHORT_STRING_BYTES = 255

export interface ConfirmPublisherOptions {
  /** Messages sent and not confirmed. */
  maxInFlight: number
  timeoutMs: number
}

export interface ConfirmPublisherDeps {
  isBlocked(): boolean
  /** Put into the error of a message that timed out. */
  unavailableReason(): string | undefined
  /** Another AMQP channel should be given to `use`, because of one message; often called for many at once. */
  wantChannel(reason: string): void
}

export interface PublishingChannel {
  publish: ConfirmChannel['publish']
  on(event: 'drain' | 'close', listener: () => void): unknown
  on(event: 'return', listener: (message: Pick<Message, 'properties'>) => void): unknown
}

interface Publish {
  /** The place in the order of publishes. */
  readonly turn: number
  readonly message: OutgoingMessage
  readonly settle: (outcome: PublishOutcome | Error) => void
  isSettled: boolean
  isReturned: boolean
  /** It, or one before it to the same place, at least once. */
  isRefused: boolean
  /** Where it is in flight. */
  channel: PublishingChannel | undefined
  sentAtMs: number
  /** Called when the broker answers one that was given up in flight. */
  answerLate?: (outcome: PublishOutcome | Error) => void
}

export class ConfirmPublisher {
  readonly #options: ConfirmPublisherOptions
  readonly #deps: ConfirmPublisherDeps
  readonly #line = new Fifo<Publish>()
  /** Refused on the present channel, and what waits behind those. */
  #refused: Publish[] = []
  /** Where they go. */
  readonly #refusedTo = new Set<string>()
  /** Refused on one before; they go before the line. */
  readonly #again = new Fifo<Publish>()
  readonly #inFlight = new Map<number, Publish>()
  readonly #unsettled = new InHand()
  #lastTurn = 0
  #lastNumber = 0
  #answeredAtMs = 0
  #silentSinceMs: number | undefined
  #channel: PublishingChannel | undefined
  #isBufferFull = false
  #isClosing = false
  #isPumpScheduled = false

  constructor(options: ConfirmPublisherOptions, deps: ConfirmPublisherDeps) {
    this.#options = options
    this.#deps = deps
  }

  /** Publishes on this AMQP channel from now on, until it closes or another is given; confirms on the one before still count. */
  use(channel: PublishingChannel): void {
    this.#channel = channel
    this.#isBufferFull = false
    this.#silentSinceMs = undefined
    const refused = this.#refused.toSorted((a, b) => a.turn - b.turn)
    for (const publish of refused) this.#again.push(publish)
    this.#refused = []
    this.#refusedTo.clear()
    channel.on('drain', () => {
      if (this.#channel !== channel) return
      this.#isBufferFull = false
      this.pump()
    })
    channel.on('return', ({ properties }) => {
      const publish = this.#inFlight.get(Number(properties.headers?.[NUMBER_HEADER]))
      if (publish) publish.isReturned = true
    })
    channel.on('close', () => {
      if (this.#channel !== channel) return
      this.#channel = undefined
      if (this.#isClosing) this.#refuseWaiting()
    })
    this.pump()
  }

  /** Why nothing gets through though there is a channel, or undefined. */
  unavailableReason(): string | undefined {
    if (this.#silentSinceMs === undefined) return undefined
    return `publishing: nothing was confirmed for ${Date.now() - this.#silentSinceMs} ms`
  }

  /** Rejects with `UnavailableError`; with `InvalidInputError` when AMQP has no room for a name. */
  publish(message: OutgoingMessage, timeoutMs = this.#options.timeoutMs): Promise<PublishOutcome> {
    return new Promise((resolve, reject) => {
      requireShort('the routing key', message.routingKey)
      requireShort('messageId', message.properties.messageId)
      requireShort('replyTo', message.properties.replyTo ?? '')
      if (this.#isClosing && !this.#channel) throw unavailable('the broker was closed')
      const timer = setTimeout(() => this.#expire(publish, timeoutMs), timeoutMs)
      this.#lastTurn += 1
      const publish: Publish = {
        turn: this.#lastTurn,
        message,
        isSettled: false,
        isReturned: false,
        isRefused: false,
        channel: undefined,
        sentAtMs: 0,
        settle: (outcome) => {
          if (publish.isSettled) return publish.answerLate?.(outcome)
          publish.isSettled = true
          clearTimeout(timer)
          this.#unsettled.settled()
          if (outcome instanceof Error) reject(outcome)
          else resolve(outcome)
        },
      }
      this.#unsettled.taken()
      this.#line.push(publish)
      this.pump()
    })
  }

  /** Sends what may be sent; to be called when what held it back is gone. */
  pump(): void {
    const { maxInFlight } = this.#options
    while (
      this.#channel &&
      !this.#isBufferFull &&
      this.#inFlight.size < maxInFlight &&
      !this.#deps.isBlocked()
    ) {
      const publish = this.#again.shift() ?? this.#line.shift()
      if (!publish) return
      if (publish.isSettled) continue
      if (this.#refusedTo.has(placeOf(publish.message))) this.#holdRefused(publish)
      else this.#send(publish, this.#channel)
    }
  }

  /** Waits for what is on its way; what could only wait for another channel is refused. */
  async close(): Promise<void> {
    this.#isClosing = true
    if (!this.#channel) this.#refuseWaiting()
    await this.#unsettled.idle()
  }

  #send(publish: Publish, channel: PublishingChannel): void {
    this.#lastNumber += 1
    const number = this.#lastNumber
    const { exchange, routingKey, body } = publish.message
    this.#inFlight.set(number, publish)
    publish.channel = channel
    publish.sentAtMs = Date.now()
    try {
      this.#isBufferFull = !channel.publish(
        exchange,
        routingKey,
        body,
        publishOptions(publish.message, number),
        (error: Error | null) => this.#confirmed(number, error, channel),
      )
    } catch (error) {
      this.#inFlight.delete(number)
      publish.settle(unavailable('the message could not be sent', error))
    }
  }

  #confirmed(number: number, error: Error | null, channel: PublishingChannel): void {
    const publish = this.#inFlight.get(number)
    this.#inFlight.delete(number)
    this.#answeredAtMs = Date.now()
    this.#silentSinceMs = undefined
    if (error?.message === REFUSAL) {
      if (publish?.isSettled) publish.settle(new RefusedError(error.message))
      else if (publish) this.#sendAgain(publish, channel)
    } else if (error) publish?.settle(unavailable('the broker did not confirm the message', error))
    else publish?.settle(publish.isReturned ? 'unroutable' : 'routed')
    this.#pumpSoon()
  }

  #sendAgain(publish: Publish, channel: PublishingChannel): void {
    publish.isReturned = false
    publish.channel = undefined
    if (this.#channel !== channel) {
      this.#again.push(publish)
    } else {
      this.#holdRefused(publish)
      this.#deps.wantChannel('the broker refuses messages')
    }
  }

  #holdRefused(publish: Publish): void {
    publish.isRefused = true
    this.#refused.push(publish)
    this.#refusedTo.add(placeOf(publish.message))
  }

  /** n.b. not within the confirm: while a channel closes, its callbacks come before its `close` event. */
  #pumpSoon(): void {
    if (this.#isPumpScheduled) return
    this.#isPumpScheduled = true
    queueMicrotask(() => {
      this.#isPumpScheduled = false
      this.pump()
    })
  }

  #expire(publish: Publish, timeoutMs: number): void {
    const reason =
      this.#deps.unavailableReason() ?? (publish.isRefused ? 'it refuses messages' : undefined)
    const what = `the broker did not confirm within ${timeoutMs} ms`
    const message = reason === undefined ? what : `${what}: ${reason}`
    if (publish.channel) this.#giveUpInFlight(publish, message)
    else if (publish.isRefused) publish.settle(new RefusedError(message))
    else publish.settle(unavailable(message))
    if (publish.channel && publish.channel === this.#channel && !this.#deps.isBlocked()) {
      this.#deps.wantChannel('the broker does not confirm messages')
    }
    while (this.#line.peek()?.isSettled) this.#line.shift()
  }

  #giveUpInFlight(publish: Publish, message: string): void {
    const { promise, resolve, reject } = Promise.withResolvers<PublishOutcome>()
    publish.answerLate = (outcome) =>
      outcome instanceof Error ? reject(outcome) : resolve(outcome)
    publish.settle(new UnconfirmedError(message, promise))
    if (this.#answeredAtMs <= publish.sentAtMs) this.#silentSinceMs ??= publish.sentAtMs
  }

  #refuseWaiting(): void {
    const waiting = [...this.#refused.splice(0), ...this.#again.drain(), ...this.#line.drain()]
    for (const publish of waiting) publish.settle(unavailable('the broker was closed'))
  }
}

function placeOf({ exchange, routingKey }: OutgoingMessage): string {
  return `${exchange} ${routingKey}`
}

function publishOptions({ properties }: OutgoingMessage, number: number): Options.Publish {
  const { messageId, type, timestampMs = Date.now(), replyTo, traceparent, slot } = properties
  return {
    mandatory: true,
    persistent: true,
    contentType: 'application/json',
    messageId,
    type,
    timestamp: Math.floor(timestampMs / 1_000),
    ...(replyTo === undefined ? {} : { replyTo }),
    headers: {
      [NUMBER_HEADER]: number,
      ...(traceparent === undefined ? {} : { traceparent }),
      ...(slot === undefined ? {} : { [SLOT_HEADER]: String(slot) }),
    },
  }
}

function requireShort(what: string, text: string): void {
  if (Buffer.byteLength(text) <= MAX_SHORT_STRING_BYTES) return
  throw new InvalidInputError(`${what} is longer than ${MAX_SHORT_STRING_BYTES} bytes`)
}

function unavailable(message: string, cause?: unknown): UnavailableError {
  return new UnavailableError(message, {
    code: 'SB_BROKER_UNAVAILABLE',
    ...(cause === undefined ? {} : { cause }),
  })
}

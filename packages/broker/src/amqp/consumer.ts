/**
 * A consumer on RabbitMQ, on an AMQP channel of its own.
 *
 * A *link* is that channel as long as it lives. A delivery is settled on the link it came on or not at all: its tag means nothing, or
 * something else, on another channel. n.b. after a loss the handlers of the old link may still run while the new one
 * delivers, so for that while more than the prefetch can be in hand.
 */
import { UnavailableError } from '@signalbox/kit'
import type { Channel, ConsumeMessage } from 'amqplib'
import { InHand } from '../in-hand.ts'
import type { Consumer, ConsumerState, DeliveryHandler } from '../port.ts'
import { type SettlementDeps, verdictOn } from '../settlement.ts'
import type { QueueSpec } from '../topology.ts'
import { Acknowledger } from './acknowledger.ts'
import { atMost } from './at-most.ts'
import type { AmqpConnection } from './connection.ts'
import { declareQueue } from './declaring.ts'
import { AmqpDelivery } from './delivery.ts'
import { ANSWER_TIMEOUT_MS, KeptChannel, NO_ANSWER } from './kept-channel.ts'

const SWITCH_TIMEOUT_MS = 3_000

export interface AmqpConsumerOptions {
  queue: QueueSpec
  prefetch: number
  onDelivery: DeliveryHandler
}

export interface AmqpConsumerDeps extends Pick<SettlementDeps, 'log' | 'publisher'> {
  connection: Pick<AmqpConnection, 'listen'>
  onClosed(consumer: AmqpConsumer): void
}

interface Link {
  readonly channel: Channel
  readonly acknowledger: Acknowledger
  readonly lost: AbortSignal
  /** Aborted when a settlement has nothing to wait for any more. */
  readonly giveUp: AbortSignal
  consumerTag?: string | undefined
}

export class AmqpConsumer implements Consumer {
  readonly queue: string
  readonly #options: AmqpConsumerOptions
  readonly #deps: AmqpConsumerDeps
  readonly #inHand = new InHand()
  readonly #registered = Promise.withResolvers<void>()
  readonly #closing = new AbortController()
  readonly #channel: KeptChannel<Channel>
  #isPaused = false
  #link: Link | undefined
  #aligning: Promise<void> = Promise.resolve()
  #closed: Promise<void> | undefined

  constructor(options: AmqpConsumerOptions, deps: AmqpConsumerDeps) {
    this.queue = options.queue.name
    this.#options = options
    this.#deps = deps
    this.#registered.promise.catch(() => undefined)
    this.#channel = new KeptChannel(
      {
        name: `consumer ${this.queue}`,
        create: (model) => model.createChannel(),
        setUp: (channel, lost) => this.#setUp(channel, lost),
      },
      deps,
    )
  }

  get state(): ConsumerState {
    if (this.#closed) return 'closed'
    if (this.#isPaused) return 'paused'
    return this.#link?.consumerTag === undefined ? 'recovering' : 'consuming'
  }

  unavailableReason(): string | undefined {
    return this.#channel.unavailableReason()
  }

  /** Resolves when the broker has registered it for the first time; rejects when it is closed before. */
  registered(): Promise<void> {
    return this.#registered.promise
  }

  async pause(): Promise<void> {
    this.#isPaused = true
    await this.#switch()
  }

  async resume(): Promise<void> {
    this.#isPaused = false
    await this.#switch()
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  release(): Promise<void> {
    this.#closed ??= this.#release()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** n.b. a consumer that is cancelled keeps what it has in hand, and the next one gets what follows; one whose channel is closed does not. */
  async #release(): Promise<void> {
    this.#closing.abort()
    this.#refuseRegistration()
    this.#link?.acknowledger.flush()
    await this.#channel.close()
    this.#deps.onClosed(this)
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    this.#refuseRegistration()
    await this.#switch()
    await this.#inHand.idle()
    this.#link?.acknowledger.flush()
    await this.#channel.close()
    this.#deps.onClosed(this)
  }

  #refuseRegistration(): void {
    this.#registered.reject(
      new UnavailableError(`the consumer of ${this.queue} was closed`, {
        code: 'SB_BROKER_UNAVAILABLE',
      }),
    )
  }

  /**
   * A change that fails has lost its link; the next one begins as wanted. A broker that hangs answers none, and delivers nothing either:
   * it is not waited for longer.
   */
  async #switch(): Promise<void> {
    await atMost(this.#align(), SWITCH_TIMEOUT_MS)
  }

  async #setUp(channel: Channel, lost: AbortSignal): Promise<void> {
    await declareQueue(channel, this.#options.queue)
    await channel.prefetch(this.#options.prefetch)
    const link: Link = {
      channel,
      acknowledger: new Acknowledger(channel),
      lost,
      giveUp: AbortSignal.any([lost, this.#closing.signal]),
    }
    lost.addEventListener('abort', () => this.#unlink(link), { once: true })
    this.#link = link
    await this.#align()
    this.#registered.resolve()
  }

  #unlink(link: Link): void {
    if (this.#link === link) this.#link = undefined
  }

  /** Brings the link in line with what is wanted, one change after the other. */
  #align(): Promise<void> {
    const aligned = this.#aligning.then(() => this.#link && this.#alignNow(this.#link))
    this.#aligning = aligned.catch(() => undefined)
    return aligned
  }

  async #alignNow(link: Link): Promise<void> {
    const shallConsume = !this.#isPaused && !this.#closing.signal.aborted
    const { consumerTag } = link
    if (shallConsume && consumerTag === undefined) {
      const consuming = link.channel.consume(this.queue, (message) => this.#take(message, link))
      link.consumerTag = (await this.#answered(consuming, link)).consumerTag
    } else if (!shallConsume && consumerTag !== undefined) {
      link.consumerTag = undefined
      await this.#answered(link.channel.cancel(consumerTag), link)
    }
  }

  /** Rejects when the link is lost first, which it is when the broker does not answer in time. */
  async #answered<Answer>(answer: Promise<Answer>, { lost }: Link): Promise<Answer> {
    const loss = Promise.withResolvers<never>()
    const onLost = (): void => loss.reject(new Error('the AMQP channel was lost'))
    lost.addEventListener('abort', onLost)
    const timer = setTimeout(() => this.#channel.renew(NO_ANSWER), ANSWER_TIMEOUT_MS)
    try {
      return await Promise.race([answer, loss.promise])
    } finally {
      clearTimeout(timer)
      lost.removeEventListener('abort', onLost)
    }
  }

  /** Null: the broker cancelled the consumer. Source: https://www.rabbitmq.com/docs/consumer-cancel */
  #take(message: ConsumeMessage | null, link: Link): void {
    if (message) void this.#settle(message, link)
    else this.#channel.renew('the broker cancelled the consumer: its queue was deleted or moved')
  }

  async #settle(message: ConsumeMessage, link: Link): Promise<void> {
    this.#inHand.taken()
    link.acknowledger.taken(message)
    const verdict = await verdictOn(
      new AmqpDelivery(message, link.lost),
      this.#options.onDelivery,
      { ...this.#deps, queue: this.queue, signal: link.giveUp },
    )
    if (!link.lost.aborted) {
      if (verdict === 'ack') link.acknowledger.ack(message)
      else link.acknowledger.nack(message, { requeue: verdict === 'requeue' })
    }
    this.#inHand.settled()
  }
}

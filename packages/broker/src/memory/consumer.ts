/** A consumer of the memory engine. */
import { InHand } from '../in-hand.ts'
import type { Consumer, ConsumerState, Delivery, DeliveryHandler } from '../port.ts'
import { type SettlementDeps, verdictOn } from '../settlement.ts'
import type { MemoryQueue, QueueConsumer, QueuedMessage } from './queue.ts'

export interface MemoryConsumerOptions {
  queue: string
  prefetch: number
  onDelivery: DeliveryHandler
}

export interface MemoryConsumerDeps extends Pick<SettlementDeps, 'log' | 'publisher'> {
  queue: MemoryQueue
  onClosed(consumer: Consumer): void
}

export class MemoryConsumer implements Consumer, QueueConsumer {
  readonly queue: string
  readonly #options: MemoryConsumerOptions
  readonly #deps: MemoryConsumerDeps
  readonly #inHand = new InHand()
  readonly #closing = new AbortController()
  /** In the order of delivery. */
  readonly #unsettled = new Set<MemoryDelivery>()
  #state: ConsumerState = 'consuming'

  constructor(options: MemoryConsumerOptions, deps: MemoryConsumerDeps) {
    this.queue = options.queue
    this.#options = options
    this.#deps = deps
    deps.queue.attach(this)
  }

  get state(): ConsumerState {
    return this.#state
  }

  hasRoom(): boolean {
    return this.#inHand.count < this.#options.prefetch
  }

  take(queued: QueuedMessage): void {
    this.#inHand.taken()
    void this.#settle(queued)
  }

  async pause(): Promise<void> {
    if (this.#state !== 'consuming') return
    this.#state = 'paused'
    this.#deps.queue.detach(this)
  }

  async resume(): Promise<void> {
    if (this.#state !== 'paused') return
    this.#state = 'consuming'
    this.#deps.queue.attach(this)
  }

  async release(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#closing.abort()
    for (const delivery of this.#unsettled) {
      delivery.isVoid = true
      this.#deps.queue.settle(delivery.queued, 'requeue')
    }
    this.#deps.queue.detach(this)
    this.#deps.onClosed(this)
  }

  async close(): Promise<void> {
    this.#state = 'closed'
    this.#deps.queue.detach(this)
    this.#closing.abort()
    await this.#inHand.idle()
    this.#deps.onClosed(this)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #settle(queued: QueuedMessage): Promise<void> {
    const delivery = deliveryOf(queued)
    this.#unsettled.add(delivery)
    const verdict = await verdictOn(delivery, this.#options.onDelivery, {
      ...this.#deps,
      queue: this.queue,
      signal: this.#closing.signal,
    })
    this.#unsettled.delete(delivery)
    if (!delivery.isVoid) this.#deps.queue.settle(queued, verdict)
    this.#inHand.settled()
  }
}

interface MemoryDelivery extends Delivery {
  readonly queued: QueuedMessage
  isVoid: boolean
}

function deliveryOf(queued: QueuedMessage): MemoryDelivery {
  const { message, returns, death } = queued
  return {
    queued,
    body: message.body,
    exchange: message.exchange,
    routingKey: message.routingKey,
    redelivered: returns > 0,
    deliveryCount: returns,
    isVoid: false,
    properties: message.properties,
    death,
  }
}

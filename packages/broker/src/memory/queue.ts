/**
 * A queue of the memory engine: ready messages, those that came back, and the consumers that compete for them.
 *
 * Deliveries are dealt out on a later turn of the event loop, never inside the call that caused them, one to each consumer
 * with room in turn; with a single active consumer only the one that came first. What came back goes before what is ready, as
 * in a quorum queue. A message expires only when it has reached the head, as in RabbitMQ.
 */
import { Fifo } from '../fifo.ts'
import type { Death, OutgoingMessage } from '../port.ts'
import type { Verdict } from '../settlement.ts'
import type { QueueSpec } from '../topology.ts'

export interface QueuedMessage {
  readonly message: OutgoingMessage
  readonly death: Death | undefined
  /** How often it came back. */
  returns: number
  /** Unix milliseconds; Infinity: never. */
  readonly expiresAtMs: number
}

export interface QueueConsumer {
  hasRoom(): boolean
  take(queued: QueuedMessage): void
}

export class MemoryQueue {
  readonly #spec: QueueSpec
  readonly #deadLetter: (message: OutgoingMessage, death: Death) => void
  readonly #ready = new Fifo<QueuedMessage>()
  readonly #returned = new Fifo<QueuedMessage>()
  readonly #consumers: QueueConsumer[] = []
  #turn = 0
  #isDealScheduled = false
  #expiry: NodeJS.Timeout | undefined

  /** `deadLetter` is given what expired, came back too often or was rejected. */
  constructor(spec: QueueSpec, deadLetter: (message: OutgoingMessage, death: Death) => void) {
    this.#spec = spec
    this.#deadLetter = deadLetter
  }

  enqueue(message: OutgoingMessage, death?: Death): void {
    const ttlMs = this.#spec.messageTtlMs ?? Number.POSITIVE_INFINITY
    this.#ready.push({ message, death, returns: 0, expiresAtMs: Date.now() + ttlMs })
    this.wake()
  }

  /** Ready for delivery. */
  get size(): number {
    return this.#returned.size + this.#ready.size
  }

  attach(consumer: QueueConsumer): void {
    this.#consumers.push(consumer)
    this.wake()
  }

  detach(consumer: QueueConsumer): void {
    const index = this.#consumers.indexOf(consumer)
    if (index >= 0) this.#consumers.splice(index, 1)
    this.wake()
  }

  /** Ends a delivery that a consumer took. */
  settle(queued: QueuedMessage, verdict: Verdict): void {
    if (verdict === 'requeue') {
      queued.returns += 1
      if (queued.returns > (this.#spec.deliveryLimit ?? Number.POSITIVE_INFINITY)) {
        this.#die(queued.message, 'delivery_limit')
      } else {
        this.#returned.push(queued)
      }
    } else if (verdict === 'reject') {
      this.#die(queued.message, 'rejected')
    }
    this.wake()
  }

  wake(): void {
    if (this.#isDealScheduled) return
    this.#isDealScheduled = true
    setImmediate(() => {
      this.#isDealScheduled = false
      this.#deal()
    })
  }

  close(): void {
    clearTimeout(this.#expiry)
  }

  #die(message: OutgoingMessage, reason: string): void {
    const { exchange, routingKey } = message
    const atMs = Math.floor(Date.now() / 1_000) * 1_000
    this.#deadLetter(message, { reason, queue: this.#spec.name, exchange, routingKey, atMs })
  }

  #deal(): void {
    for (;;) {
      this.#expire()
      const source = this.#source()
      if (source.size === 0) return
      const consumer = this.#consumerWithRoom()
      if (!consumer) return
      consumer.take(source.shift()!)
    }
  }

  #source(): Fifo<QueuedMessage> {
    return this.#returned.size > 0 ? this.#returned : this.#ready
  }

  #consumerWithRoom(): QueueConsumer | undefined {
    const eligible = this.#spec.singleActiveConsumer ? this.#consumers.slice(0, 1) : this.#consumers
    for (let tried = 0; tried < eligible.length; tried += 1) {
      this.#turn = (this.#turn + 1) % eligible.length
      const consumer = eligible[this.#turn]
      if (consumer?.hasRoom()) return consumer
    }
    return undefined
  }

  #expire(): void {
    clearTimeout(this.#expiry)
    this.#expiry = undefined
    if (this.#spec.messageTtlMs === undefined) return
    const nowMs = Date.now()
    for (let head = this.#source().peek(); head; head = this.#source().peek()) {
      if (head.expiresAtMs > nowMs) {
        this.#expiry = setTimeout(() => this.wake(), head.expiresAtMs - nowMs).unref()
        return
      }
      this.#source().shift()
      this.#die(head.message, 'expired')
    }
  }
}

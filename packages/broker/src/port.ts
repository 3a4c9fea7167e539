/**
 * The broker port: what Signalbox asks of a message broker, and what both engines (RabbitMQ, memory) promise.
 *
 * - A publish resolves after the broker has confirmed it. It rejects with `UnavailableError` when the confirm did not
 *   come (connection lost, timeout): the message may or may not be there, so the caller publishes again under the same identity.
 *   `RefusedError` and `UnconfirmedError` are two of these that say more.
 * - A delivery is settled exactly once, by what its handler resolves to. When the connection was lost meanwhile, the
 *   settlement is void: the broker delivers again.
 * - A consumer comes back by itself after every loss, with its topology declared again before it.
 */
import type { QueueSpec, RouteSpec, Topology } from './topology.ts'

export interface MessageProperties {
  messageId: string
  /** What the body is: `VumiApiEvent`, `HandlerInvocation`, … */
  type: string
  /** Unix milliseconds; default: now. On the wire AMQP keeps seconds. */
  timestampMs?: number
  /** The queue that takes the answer, reached through the default exchange. */
  replyTo?: string
  /** W3C trace context. Source: https://www.w3.org/TR/trace-context/ */
  traceparent?: string
  /** Of an event: which of its like it stays in order with, `relaySlotOf`. */
  slot?: number
}

export interface OutgoingMessage {
  /** The empty string is the default exchange: the routing key is then a queue's name. */
  exchange: string
  routingKey: string
  /** JSON, UTF-8. */
  body: Buffer
  properties: MessageProperties
}

export interface DeclareOptions {
  /** Somebody waits: it fails at once while the broker is known to be away, and after so many milliseconds otherwise. */
  patienceMs?: number
}

export interface PublishOptions {
  /**
   * A name for where it goes, among many such places: while that one takes nothing, publishes to others are not held up. Such names are
   * few (handlers); what is beyond 256 of them has no such protection.
   */
  lane?: string
  /**
   * Somebody waits for the outcome: the publish fails at once while the broker is known to be away, blocked or silent, and after so many
   * milliseconds otherwise. Absent: it waits as long as the engine has it wait.
   */
  patienceMs?: number
}

/** `unroutable`: confirmed, but no queue took it (a mandatory message that came back). */
export type PublishOutcome = 'routed' | 'unroutable'

export interface Delivery {
  readonly body: Buffer
  readonly exchange: string
  readonly routingKey: string
  readonly redelivered: boolean
  /** How often it was delivered before and not settled for good: its consumer gave it back, or died. 0 when `redelivered` is false. */
  readonly deliveryCount: number
  /** True once the connection it came on is lost: its settlement has no effect any more, and it is delivered again. */
  readonly isVoid: boolean
  /** As sent; a foreign client may have set none. `type` and `contentType` are for information, the body decides. */
  readonly properties: Partial<MessageProperties>
  /** Present when it was moved here by the broker itself: why and from where, the last time. */
  readonly death?: Death | undefined
}

export interface Death {
  /** `delivery_limit`: it came back too often. `rejected`: its consumer gave it back for good. `expired`: its time was over. */
  reason: string
  queue: string
  /** How it had come to that queue. */
  exchange: string
  routingKey: string
  /** Unix milliseconds, in whole seconds. */
  atMs: number
}

/** Why a delivery ends as a dead letter; the engine adds where it came from and the body. */
export interface DeadLetterReason {
  code: string
  message: string
  about: 'event' | 'command' | 'invocation' | 'result' | 'message'
  account_key?: string
  event_id?: string
  run_id?: string
  chain_id?: string
  step_id?: string
  handler?: string
  attempts?: number
  path?: string[]
}

/**
 * | settlement    | what the engine does                                                     |
 * | ------------- | ------------------------------------------------------------------------ |
 * | `ack`         | acknowledges                                                             |
 * | `requeue`     | gives it back for any consumer; counts towards the queue's delivery limit |
 * | `dead_letter` | publishes a dead letter, waits for its confirm, then acknowledges        |
 */
export type Settlement =
  | { kind: 'ack' }
  | { kind: 'requeue' }
  | { kind: 'dead_letter'; reason: DeadLetterReason }

/** A rejection counts as `requeue` after a pause of one second, and is logged: handlers should settle their failures themselves. */
export type DeliveryHandler = (delivery: Delivery) => Promise<Settlement>

export interface ConsumeOptions {
  /** Deliveries in hand at once, 1 to 65,535; default 64. */
  prefetch?: number
}

/** `recovering`: not consuming, coming back by itself. */
export type ConsumerState = 'consuming' | 'paused' | 'recovering' | 'closed'

/** Disposing it is `close`. */
export interface Consumer extends AsyncDisposable {
  readonly queue: string
  readonly state: ConsumerState
  /** Takes no more deliveries until `resume`; those in hand go on. Idempotent. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Takes no more, waits until those in hand are settled, and is gone. Idempotent. */
  close(): Promise<void>
  /**
   * Is gone at once: what is in hand becomes void and goes back to the queue, in its order and before the rest, and only then another
   * consumer gets anything. For a queue with a single active consumer, whose order a `close` under way would break. Idempotent.
   */
  release(): Promise<void>
}

/** Disposing it is `close`: consumers first, then publishes in flight, then the connection. Idempotent. */
export interface Broker extends AsyncDisposable {
  readonly topology: Topology
  /** Why it cannot work now (not connected, blocked by a resource alarm), or undefined. For readiness. */
  unavailableReason(): string | undefined
  /** Bounded in flight: waits for room, and while the broker blocks; at most the engine's publish timeout (default 10 s). */
  publish(message: OutgoingMessage, options?: PublishOptions): Promise<PublishOutcome>
  /** Declares queues beyond the fixed topology (a handler's, a worker's, a delay's), now and after every reconnection. Idempotent; again after a while, it brings back what was deleted. */
  declare(queue: QueueSpec, options?: DeclareOptions): Promise<void>
  /**
   * Adds a binding between what was declared, now and after every reconnection. Durable: it outlives its processes, until `unbind`.
   * Idempotent. Rejects with `UnavailableError` when the broker is away: then nothing is promised, and nothing kept.
   */
  bind(route: RouteSpec): Promise<void>
  /** Its inverse, also of what another process bound, or of what is not there. */
  unbind(route: RouteSpec): Promise<void>
  /** Does not bring the binding back any more. Whether it stays is for others to say. */
  letGo(route: RouteSpec): void
  /** How many are ready for delivery. Undefined: there is no such queue. It may be one that only others declared. Rejects with `UnavailableError`. */
  messagesIn(queue: string): Promise<number | undefined>
  /** Resolves when the consumer is registered. The queue must be part of the topology or declared. */
  consume(queue: string, options: ConsumeOptions, onDelivery: DeliveryHandler): Promise<Consumer>
  close(): Promise<void>
}

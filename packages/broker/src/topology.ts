/**
 * The topology: every exchange, queue and binding, named and shaped here and nowhere else.
 *
 * Queues are durable quorum queues with an explicit delivery limit whose dead letters go, at least once, to the dead
 * exchange. `docs/topology.md` shows this file as a table; a test holds the two together.
 */
import { STATE_CHANGE_EVENTS, VUMI_GO } from '@signalbox/contracts'
import { SLOT_HEADER } from './relay-slot.ts'

export type ExchangeType = 'topic' | 'direct' | 'fanout' | 'headers'

export interface ExchangeSpec {
  name: string
  type: ExchangeType
  /** Takes what this one has no binding for. */
  alternateExchange?: string
  /** What this exchange gets from others. */
  bindings?: readonly BindingSpec[]
}

export interface BindingSpec {
  /** Where messages come from. */
  exchange: string
  routingKey: string
  /** What a headers exchange compares: all of them have to be there and be the same. */
  headers?: Readonly<Record<string, string>>
}

/** A binding that comes and goes while processes run (`Broker.bind`). */
export interface RouteSpec extends BindingSpec {
  to: { exchange: string } | { queue: string }
}

export interface QueueSpec {
  name: string
  /** Exchanges that this queue needs beside the fixed ones (a delay's own). */
  exchanges: readonly ExchangeSpec[]
  bindings: readonly BindingSpec[]
  /** What earlier versions bound it to: unbound once what replaces it is there. */
  formerBindings?: readonly BindingSpec[]
  singleActiveConsumer: boolean
  /** Messages are moved to `deadLetterExchange` after this; undefined: they stay. Milliseconds. */
  messageTtlMs?: number
  /** Undefined: there is no limit (the dead queue itself has nowhere else to send). */
  deliveryLimit?: number
  /** Where expired and over-delivered messages go; the routing key is kept. */
  deadLetterExchange?: string
}

export interface TopologyOptions {
  /** Prefix of every name; default `signalbox`. */
  namespace?: string
  /** Also take Vumi Go's events from its direct exchange `vumi`. Default false. */
  vumiBridge?: boolean
}

/**
 * How often a message may come back before the broker calls it poisonous. Every crash of its consumer counts, so it has to be
 * more than the restarts that a bad day brings; RabbitMQ 4 would otherwise choose 20 by itself.
 * Source: https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling
 */
const DELIVERY_LIMIT = 20

/** How long a parked invocation waits before RabbitMQ moves it on to its handler's queue, or begins to try. */
const PARKING_MS = 2_000

export type Topology = ReturnType<typeof createTopology>

export function createTopology({
  namespace = 'signalbox',
  vumiBridge = false,
}: TopologyOptions = {}) {
  const exchange = {
    events: `${namespace}.events`,
    handlers: `${namespace}.handlers`,
    results: `${namespace}.results`,
    commands: `${namespace}.commands`,
    dead: `${namespace}.dead`,
    relay: `${namespace}.relay`,
    relayUnkeyed: `${namespace}.relay.unkeyed`,
  } as const
  const queue = {
    dispatcherEvents: `${namespace}.dispatcher.events`,
    dispatcherResults: `${namespace}.dispatcher.results`,
    edgeRelay: `${namespace}.edge.relay`,
    dead: `${namespace}.dead`,
  } as const

  const eventsOf = (...patterns: readonly string[]): readonly BindingSpec[] => [
    ...patterns.map((routingKey) => ({ exchange: exchange.events, routingKey })),
    ...(vumiBridge ? [{ exchange: VUMI_GO.exchange, routingKey: VUMI_GO.routingKey }] : []),
  ]
  /** A second copy of every event would cost the broker as much as the first: besides these, the relay gets what an account's bindings ask for. */
  const stateChanges = eventsOf(
    ...Object.keys(STATE_CHANGE_EVENTS).map((eventType) => `*.${eventType}.*`),
  )

  const exchanges: readonly ExchangeSpec[] = [
    { name: exchange.events, type: 'topic' },
    { name: exchange.handlers, type: 'direct' },
    { name: exchange.results, type: 'direct' },
    { name: exchange.commands, type: 'direct' },
    { name: exchange.dead, type: 'fanout' },
    {
      name: exchange.relay,
      type: 'headers',
      alternateExchange: exchange.relayUnkeyed,
      bindings: stateChanges,
    },
    { name: exchange.relayUnkeyed, type: 'fanout' },
    ...(vumiBridge ? [{ name: VUMI_GO.exchange, type: 'direct' } as const] : []),
  ]

  const workQueue = (name: string, bindings: readonly BindingSpec[]): QueueSpec => ({
    name,
    exchanges: [],
    bindings,
    singleActiveConsumer: false,
    deliveryLimit: DELIVERY_LIMIT,
    deadLetterExchange: exchange.dead,
  })
  /** Partition 0 takes all that goes to no other, through the alternate exchange. The slots of another are bound at run time. */
  const relayQueue = (partition: number): QueueSpec => ({
    ...workQueue(
      partition === 0 ? queue.edgeRelay : `${queue.edgeRelay}.${partition}`,
      partition === 0 ? [{ exchange: exchange.relayUnkeyed, routingKey: '' }] : [],
    ),
    ...(partition === 0 ? { formerBindings: stateChanges } : {}),
    singleActiveConsumer: true,
  })

  const queues: readonly QueueSpec[] = [
    workQueue(queue.dispatcherEvents, eventsOf('#')),
    workQueue(queue.dispatcherResults, [{ exchange: exchange.results, routingKey: 'results' }]),
    relayQueue(0),
    {
      name: queue.dead,
      exchanges: [],
      bindings: [{ exchange: exchange.dead, routingKey: '' }],
      singleActiveConsumer: false,
    },
  ]

  /** Nobody reads it: what comes in goes on to the handlers exchange after `delayMs`, with its routing key. */
  const waitingRoom = (name: string, delayMs: number): QueueSpec => ({
    name,
    exchanges: [{ name, type: 'fanout' }],
    bindings: [{ exchange: name, routingKey: '' }],
    singleActiveConsumer: false,
    messageTtlMs: delayMs,
    deadLetterExchange: exchange.handlers,
  })

  return {
    namespace,
    exchange,
    queue,
    exchanges,
    queues,
    /** A partition of the relay, from 0; that of 0 is one of the fixed queues. */
    relayQueue,
    /** Brings a slot to a partition other than 0. */
    slotRoute: (slot: number, partition: number): RouteSpec => ({
      exchange: exchange.relay,
      routingKey: '',
      headers: { [SLOT_HEADER]: String(slot) },
      to: { queue: relayQueue(partition).name },
    }),
    /** Brings every event of an account to the relay, not only its state changes. */
    accountRoute: (accountKey: string): RouteSpec => ({
      exchange: exchange.events,
      routingKey: `*.*.${accountKey}`,
      to: { exchange: exchange.relay },
    }),
    /** The account whose route must have brought this to the relay; undefined: it came without one. */
    accountOfRoute: (message: { exchange: string; routingKey: string }): string | undefined => {
      const [, eventType = '', accountKey] = message.routingKey.split('.')
      const isFromRoute =
        message.exchange === exchange.events && !Object.hasOwn(STATE_CHANGE_EVENTS, eventType)
      return isFromRoute ? accountKey : undefined
    },
    /** The queue of a handler; its workers compete for it. */
    handlerQueue: (handler: string): QueueSpec =>
      workQueue(`${namespace}.handler.${handler}`, [
        { exchange: exchange.handlers, routingKey: handler },
      ]),
    /** The queue of a worker's commands. */
    workerQueue: (worker: string): QueueSpec =>
      workQueue(`${namespace}.worker.${worker}.control`, [
        { exchange: exchange.commands, routingKey: worker },
      ]),
    /**
     * The waiting room for one delay, of the few that retries have (`RETRY_DELAYS_MS`), with an exchange of the same name. One queue
     * per delay, because a queue expires its messages from its head only: a long delay before a short one would hold it up.
     */
    retryQueue: (delayMs: number) => waitingRoom(`${namespace}.retry.${delayMs}`, delayMs),
    /**
     * The waiting room for invocations of a handler whose own queue does not take them now. One per handler: what RabbitMQ cannot move on
     * to that queue holds up what is behind it.
     */
    parkingQueue: (handler: string) => waitingRoom(`${namespace}.parked.${handler}`, PARKING_MS),
  }
}

/**
 * The memory engine: the broker inside one process, for trying, developing, small installs and tests.
 *
 * It routes, queues and settles as RabbitMQ does with our topology. What it does not do: survive its process, or bound its
 * queues (what is not consumed stays in memory).
 */
import { type Log, UnavailableError } from '@signalbox/kit'
import { createDeclarations, routeName } from '../declarations.ts'
import type { Broker, Consumer, Death, OutgoingMessage, PublishOutcome } from '../port.ts'
import { prefetchOf } from '../prefetch.ts'
import { createPublisher } from '../publisher.ts'
import { SLOT_HEADER } from '../relay-slot.ts'
import type { ExchangeSpec, QueueSpec, RouteSpec, Topology } from '../topology.ts'
import { MemoryConsumer } from './consumer.ts'
import { MemoryQueue } from './queue.ts'
import { type Headers, headersTest, routingKeyTest } from './routing.ts'

export interface MemoryBrokerOptions {
  topology: Topology
  log: Log
}

interface MemoryExchange {
  spec: ExchangeSpec
  bindings: MemoryBinding[]
}

interface MemoryBinding {
  name: string
  accepts(message: OutgoingMessage): boolean
  to: RouteSpec['to']
}

/** Ready at once. Close it to end its timers and consumers. */
export function createMemoryBroker({ topology, log }: MemoryBrokerOptions): Broker {
  const declarations = createDeclarations(topology)
  const exchanges = new Map<string, MemoryExchange>()
  const queues = new Map<string, MemoryQueue>()
  const consumers = new Set<Consumer>()
  let closing: Promise<void> | undefined
  let isClosed = false
  let nextTurn: Promise<void> | undefined

  const addExchange = (spec: ExchangeSpec): void => {
    if (!exchanges.has(spec.name)) exchanges.set(spec.name, { spec, bindings: [] })
  }
  const addQueue = (spec: QueueSpec): void => {
    const queue = new MemoryQueue(spec, (message, death) => deadLetter(spec, message, death))
    queues.set(spec.name, queue)
    spec.exchanges.forEach(addExchange)
    for (const binding of spec.bindings) addRoute({ ...binding, to: { queue: spec.name } })
  }
  const addRoute = (route: RouteSpec): void => {
    const { spec, bindings } = exchanges.get(route.exchange)!
    bindings.push({ name: routeName(route), accepts: messageTest(spec, route), to: route.to })
  }
  /** The queues that a message gets to, each once, whichever way it went. */
  const targetsOf = (message: OutgoingMessage): Set<MemoryQueue> => {
    const targets = new Set<MemoryQueue>()
    const passed = new Set<string>()
    const pass = (exchange: string): void => {
      if (passed.has(exchange)) return
      passed.add(exchange)
      const { spec, bindings } = exchanges.get(exchange)!
      const matching = bindings.filter(({ accepts }) => accepts(message))
      for (const { to } of matching) {
        if ('queue' in to) targets.add(queues.get(to.queue)!)
        else pass(to.exchange)
      }
      if (matching.length === 0 && spec.alternateExchange !== undefined) {
        pass(spec.alternateExchange)
      }
    }
    if (message.exchange !== '') pass(message.exchange)
    else if (queues.has(message.routingKey)) targets.add(queues.get(message.routingKey)!)
    return targets
  }
  const route = (message: OutgoingMessage, death?: Death): PublishOutcome => {
    const targets = targetsOf(message)
    for (const queue of targets) queue.enqueue(message, death)
    return targets.size > 0 ? 'routed' : 'unroutable'
  }
  const deadLetter = (from: QueueSpec, message: OutgoingMessage, death: Death): void => {
    const outcome =
      from.deadLetterExchange === undefined
        ? 'unroutable'
        : route({ ...message, exchange: from.deadLetterExchange }, death)
    if (outcome === 'unroutable') {
      const { messageId } = message.properties
      log.error({ queue: from.name, messageId }, 'message.dropped')
    }
  }
  const requireOpen = (): void => {
    if (isClosed) {
      throw new UnavailableError('the broker was closed', { code: 'SB_BROKER_UNAVAILABLE' })
    }
  }
  /** One for all who wait in this turn: a confirm that came within the turn would let a publishing loop starve the consumers. */
  const laterTurn = (): Promise<void> => {
    nextTurn ??= new Promise((resolve) => {
      setImmediate(() => {
        nextTurn = undefined
        resolve()
      })
    })
    return nextTurn
  }
  const close = async (): Promise<void> => {
    await Promise.all([...consumers].map((consumer) => consumer.close()))
    isClosed = true
    for (const queue of queues.values()) queue.close()
  }

  declarations.fixedExchanges.forEach(addExchange)
  declarations.fixedQueues.forEach(addQueue)
  for (const { name, bindings = [] } of declarations.fixedExchanges) {
    for (const binding of bindings) addRoute({ ...binding, to: { exchange: name } })
  }

  const broker: Broker = {
    topology,
    unavailableReason: () => (isClosed ? 'the broker was closed' : undefined),
    async publish(message) {
      requireOpen()
      declarations.requireExchange(message.exchange)
      const outcome = route(stamped(message))
      await laterTurn()
      return outcome
    },
    async declare(spec) {
      requireOpen()
      if (declarations.add(spec)) addQueue(spec)
    },
    async bind(route) {
      requireOpen()
      if (declarations.addRoute(route)) addRoute(route)
    },
    async unbind(route) {
      requireOpen()
      declarations.removeRoute(route)
      const exchange = exchanges.get(route.exchange)!
      const name = routeName(route)
      exchange.bindings = exchange.bindings.filter((binding) => binding.name !== name)
    },
    letGo: () => undefined,
    async messagesIn(name) {
      requireOpen()
      return queues.get(name)?.size
    },
    async consume(name, options, onDelivery) {
      requireOpen()
      declarations.queueNamed(name)
      const consumer = new MemoryConsumer(
        { queue: name, prefetch: prefetchOf(options), onDelivery },
        {
          queue: queues.get(name)!,
          log,
          publisher,
          onClosed: (closed) => consumers.delete(closed),
        },
      )
      consumers.add(consumer)
      return consumer
    },
    close() {
      closing ??= close()
      return closing
    },
    [Symbol.asyncDispose]: () => broker.close(),
  }
  const publisher = createPublisher({
    topology,
    publish: async (message) => route(stamped(message)),
  })
  return broker
}

/** With the timestamp as AMQP would deliver it: in whole seconds. */
function stamped(message: OutgoingMessage): OutgoingMessage {
  const timestampMs = message.properties.timestampMs ?? Date.now()
  return {
    ...message,
    properties: { ...message.properties, timestampMs: Math.floor(timestampMs / 1_000) * 1_000 },
  }
}

function messageTest(
  { type }: ExchangeSpec,
  { routingKey, headers = {} }: RouteSpec,
): MemoryBinding['accepts'] {
  if (type === 'headers') {
    const accepts = headersTest(headers)
    return ({ properties }) => accepts(headersOf(properties))
  }
  const accepts = routingKeyTest(type, routingKey)
  return (message) => accepts(message.routingKey)
}

/** What of a message's properties AMQP carries as headers and bindings look at. */
function headersOf({ slot }: OutgoingMessage['properties']): Headers {
  return slot === undefined ? {} : { [SLOT_HEADER]: String(slot) }
}

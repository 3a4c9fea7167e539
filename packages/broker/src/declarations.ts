/** What one process has declared: the fixed topology, and the queues and routes it added; both engines look names up here. */
import { isDeepStrictEqual } from 'node:util'
import { ConflictError, InvalidInputError } from '@signalbox/kit'
import type { ExchangeSpec, QueueSpec, RouteSpec, Topology } from './topology.ts'

export interface Declarations {
  readonly fixedExchanges: readonly ExchangeSpec[]
  readonly fixedQueues: readonly QueueSpec[]
  /** The queues beyond the fixed topology, in the order in which they were added. */
  addedQueues(): readonly QueueSpec[]
  /** False: it was known already. Throws `ConflictError` when a queue of that name is known in another shape. */
  add(queue: QueueSpec): boolean
  /** Throws `InvalidInputError` when there is no such queue. */
  queueNamed(name: string): QueueSpec
  /** Throws `InvalidInputError` when there is no such exchange: RabbitMQ closes the AMQP channel of who publishes to one. */
  requireExchange(name: string): void
  /** Added and not removed since, in the order in which they were added. */
  routes(): Iterable<RouteSpec>
  /** False: it was there already. Throws `InvalidInputError` when one of its ends was never declared. */
  addRoute(route: RouteSpec): boolean
  /** Throws as `addRoute` does. */
  removeRoute(route: RouteSpec): void
}

/** The same for the same route, whatever object it is. */
export function routeName({ to, exchange, routingKey, headers = {} }: RouteSpec): string {
  return JSON.stringify([to, exchange, routingKey, Object.entries(headers).toSorted()])
}

export function createDeclarations(topology: Topology): Declarations {
  const added: QueueSpec[] = []
  const queues = new Map(topology.queues.map((queue) => [queue.name, queue]))
  const exchanges = new Set(['', ...topology.exchanges.map(({ name }) => name)])
  const routes = new Map<string, RouteSpec>()
  const requireExchange = (name: string): void => {
    if (exchanges.has(name)) return
    throw new InvalidInputError(`the exchange "${name}" was never declared`)
  }
  const queueNamed = (name: string): QueueSpec => {
    const queue = queues.get(name)
    if (queue) return queue
    throw new InvalidInputError(`the queue "${name}" was never declared`)
  }
  const requireEnds = ({ exchange, to }: RouteSpec): void => {
    requireExchange(exchange)
    if ('queue' in to) queueNamed(to.queue)
    else requireExchange(to.exchange)
  }
  return {
    fixedExchanges: topology.exchanges,
    fixedQueues: topology.queues,
    addedQueues: () => added,
    add(queue) {
      const known = queues.get(queue.name)
      if (known) {
        if (isDeepStrictEqual(known, queue)) return false
        throw new ConflictError(`the queue "${queue.name}" is declared already, in another shape`)
      }
      queues.set(queue.name, queue)
      added.push(queue)
      for (const { name } of queue.exchanges) exchanges.add(name)
      return true
    },
    queueNamed,
    requireExchange,
    routes: () => routes.values(),
    addRoute(route) {
      requireEnds(route)
      const name = routeName(route)
      if (routes.has(name)) return false
      routes.set(name, route)
      return true
    },
    removeRoute(route) {
      requireEnds(route)
      routes.delete(routeName(route))
    },
  }
}

/** What one process has declared: the fixed topology and the queues it added; both engines look names up here. */
import { isDeepStrictEqual } from 'node:util'
import { ConflictError, InvalidInputError } from '@signalbox/kit'
import type { ExchangeSpec, QueueSpec, Topology } from './topology.ts'

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
}

export function createDeclarations(topology: Topology): Declarations {
  const added: QueueSpec[] = []
  const queues = new Map(topology.queues.map((queue) => [queue.name, queue]))
  const exchanges = new Set(['', ...topology.exchanges.map(({ name }) => name)])
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
    queueNamed(name) {
      const queue = queues.get(name)
      if (queue) return queue
      throw new InvalidInputError(`the queue "${name}" was never declared`)
    },
    requireExchange(name) {
      if (exchanges.has(name)) return
      throw new InvalidInputError(`the exchange "${name}" was never declared`)
    },
  }
}

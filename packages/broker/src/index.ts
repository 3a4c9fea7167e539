/** The broker: one port, two engines, and the topology they share. */

export { type AmqpBrokerOptions, openAmqpBroker } from './amqp/broker.ts'
export { removeAmqpQueue } from './amqp/remove-queue.ts'
export { deadLetterOf } from './dead-letter.ts'
export { createMemoryBroker, type MemoryBrokerOptions } from './memory/broker.ts'
export {
  type Batch,
  createOutbox,
  type Outbox,
  type OutboxDeps,
  type OutboxOptions,
} from './outbox.ts'
export type {
  Broker,
  ConsumeOptions,
  Consumer,
  ConsumerState,
  DeadLetterReason,
  Death,
  DeclareOptions,
  Delivery,
  DeliveryHandler,
  MessageProperties,
  OutgoingMessage,
  PublishOptions,
  PublishOutcome,
  Settlement,
} from './port.ts'
export { RefusedError, UnconfirmedError } from './publish-error.ts'
export {
  type BatchOptions,
  createPublisher,
  type Publisher,
  type TraceOptions,
} from './publisher.ts'
export { readAs, readCommand, readEvent, readJson } from './reading.ts'
export { RELAY_SLOTS, relaySlotOf, SLOT_HEADER, slotsOf } from './relay-slot.ts'
export {
  type BindingSpec,
  createTopology,
  type ExchangeSpec,
  type QueueSpec,
  type RouteSpec,
  type Topology,
  type TopologyOptions,
} from './topology.ts'

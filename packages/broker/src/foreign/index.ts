/** Publishing to AMQP brokers of others: a small client of its own, which believes nothing that it is told. */

export {
  type ForeignBroker,
  type ForeignBrokerDeps,
  type ForeignBrokerOptions,
  type ForeignEnd,
  type ForeignOutcome,
  openForeignBroker,
} from './foreign-broker.ts'
export type { ForeignMessage } from './methods.ts'

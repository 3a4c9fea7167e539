/**
 * vitest's global setup: real brokers for a whole run.
 *
 * Their addresses travel to the test processes in the environment. vitest calls this once per project, one after the other, and
 * tears down in the reverse order: the first call starts the brokers and ends them last, the others find them given.
 */
import { provisionBrokers } from './provisioning.ts'

export default async function setUpBrokers(): Promise<() => Promise<void>> {
  const brokers = await provisionBrokers()
  process.env.TEST_AMQP_URL = brokers.amqpUrl
  process.env.TEST_RABBITMQ_MANAGEMENT_URL = brokers.managementUrl
  process.env.TEST_REDIS_URL = brokers.redisUrl
  return async () => brokers[Symbol.asyncDispose]()
}

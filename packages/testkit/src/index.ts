/** Real RabbitMQ and Redis for tests, and what tests do all the time: wait, connect, start processes. */

export {
  createManagementApi,
  type EnsureOptions,
  ensureDebianPackages,
  findExecutable,
  freePort,
  type ManagementApi,
  type NodeProcess as TestProcess,
  type NodeProcessOptions as ProcessOptions,
  type PrivateRabbitMq,
  type PrivateRabbitMqCluster,
  type PrivateRedis,
  startNodeProcess as startProcess,
  startPrivateRabbitMq,
  startPrivateRabbitMqCluster,
  startPrivateRedis,
  type WaitOptions,
  waitFor,
} from '@signalbox/private-brokers'
export type { Lease } from './lease.ts'
export { type Brokers, provisionBrokers } from './provisioning.ts'
export { leaseRabbitMq, type RabbitMqLease } from './rabbitmq-lease.ts'
export { leaseRedis, type RedisLease } from './redis-lease.ts'
export {
  openReturningClient,
  type ReturningClient,
  type ReturningClientOptions,
} from './returning-client.ts'
export {
  openSocket,
  type SocketClose,
  type SocketOptions,
  type TestSocket,
} from './test-socket.ts'

/** Real RabbitMQ and Redis for tests, and what tests do all the time: wait, connect, start processes. */

export { type EnsureOptions, ensureDebianPackages, findExecutable } from './debian-packages.ts'
export type { Lease } from './lease.ts'
export { createManagementApi, type ManagementApi } from './management-api.ts'
export { freePort } from './ports.ts'
export { type PrivateRabbitMq, startPrivateRabbitMq } from './private-rabbitmq.ts'
export { type PrivateRedis, startPrivateRedis } from './private-redis.ts'
export { type Brokers, provisionBrokers } from './provisioning.ts'
export { leaseRabbitMq, type RabbitMqLease } from './rabbitmq-lease.ts'
export { leaseRedis, type RedisLease } from './redis-lease.ts'
export { type ProcessOptions, startProcess, type TestProcess } from './test-process.ts'
export {
  openSocket,
  type SocketClose,
  type SocketOptions,
  type TestSocket,
} from './test-socket.ts'
export { type WaitOptions, waitFor } from './wait-for.ts'

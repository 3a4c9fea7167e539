/** RabbitMQ, Redis and Node processes of one's own: started here, gone with whoever started them. */

export { type EnsureOptions, ensureDebianPackages, findExecutable } from './debian-packages.ts'
export { type KeptProcess, type KeptProcessOptions, startKeptProcess } from './kept-process.ts'
export { createManagementApi, type ManagementApi } from './management-api.ts'
export { type NodeProcess, type NodeProcessOptions, startNodeProcess } from './node-process.ts'
export { freePort } from './ports.ts'
export {
  type PrivateRabbitMqCluster,
  startPrivateRabbitMq,
  startPrivateRabbitMqCluster,
} from './private-rabbitmq.ts'
export { type PrivateRedis, startPrivateRedis } from './private-redis.ts'
export { type PrivateServer, startPrivateServer } from './private-server.ts'
export type { PrivateRabbitMq } from './rabbitmq-node.ts'
export { ensureServers, type ServerName } from './server-binaries.ts'
export { type WaitOptions, waitFor } from './wait-for.ts'

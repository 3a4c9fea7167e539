/** The system under load: one of its own (`--up`), or the addresses of one that runs already. */
import { existsSync } from 'node:fs'
import { newSecret } from '@signalbox/kit'
import {
  type PrivateServer,
  startPrivateRabbitMq,
  startPrivateRabbitMqCluster,
  startPrivateRedis,
} from '@signalbox/private-brokers'
import { UsageError } from '../usage-error.ts'
import type { FaultTarget } from './fault.ts'
import type { GivenSystem, OwnSystem } from './options.ts'
import { type Service, startService } from './service.ts'

const NAMESPACE = 'loadtest'
const SERVICES = new URL('../../../../services/', import.meta.url)

/** What a fault can hit, by target; empty where nothing was started here. */
export type FaultTargets = Record<FaultTarget, readonly PrivateServer[]>

export interface RunningSystem extends GivenSystem, AsyncDisposable {
  targets: Omit<FaultTargets, 'worker'>
}

const NO_TARGETS = { rabbitmq: [], redis: [], dispatcher: [], edge: [] }

/** Everything does its work when it resolves. Disposing ends what was started here. */
export async function systemOf(
  system: OwnSystem | GivenSystem,
  tell: (news: string) => void,
): Promise<RunningSystem> {
  if (system.kind === 'own') return startOwnSystem(system, tell)
  return { ...system, targets: NO_TARGETS, [Symbol.asyncDispose]: async () => undefined }
}

async function startOwnSystem(
  { dispatchers, edges, brokerNodes }: OwnSystem,
  tell: (news: string) => void,
): Promise<RunningSystem> {
  if (!existsSync(SERVICES)) {
    throw new UsageError('--up needs the services: run it in a checkout of Signalbox')
  }
  const stack = new AsyncDisposableStack()
  try {
    tell(`Starting RabbitMQ (${brokerNodes === 1 ? 'one node' : '3 nodes'}) and Redis ...`)
    // n.b. one that has started must end when the other cannot.
    const [rabbitmq, redis] = await Promise.all([
      (brokerNodes === 1 ? startPrivateRabbitMq() : startPrivateRabbitMqCluster(brokerNodes)).then(
        (server) => stack.use(server),
      ),
      startPrivateRedis().then((server) => stack.use(server)),
    ])
    const adminKey = newSecret()
    const tokenSecret = newSecret()
    const env = {
      AMQP_URL: rabbitmq.amqpUrl,
      REDIS_URL: redis.redisUrl,
      SIGNALBOX_NAMESPACE: NAMESPACE,
      SIGNALBOX_ADMIN_KEY: adminKey,
      SIGNALBOX_TOKEN_SECRET: tokenSecret,
      SIGNALBOX_SEALING_KEY: newSecret(),
      // All subscribers come from one address, and come back all at once after a fault.
      SIGNALBOX_EDGE_MAX_CONNECTIONS_PER_ADDRESS: '10000',
    }
    const several = (count: number, name: string): Promise<Service[]> => {
      const entry = new URL(`${name}/src/main.ts`, SERVICES)
      const start = async () => stack.use(await startService({ name, entry, env }))
      return Promise.all(Array.from({ length: count }, start))
    }
    tell('Starting the services ...')
    const [dispatcher, edge, api] = await Promise.all([
      several(dispatchers, 'dispatcher'),
      several(edges, 'edge'),
      several(1, 'api'),
    ])
    return {
      kind: 'given',
      amqpUrl: rabbitmq.amqpUrl,
      redisUrl: redis.redisUrl,
      namespace: NAMESPACE,
      edgeUrls: edge.map(({ url }) => url),
      apiUrl: api[0]!.url,
      adminKey,
      tokenSecret,
      targets: {
        rabbitmq: 'nodes' in rabbitmq ? rabbitmq.nodes : [rabbitmq],
        redis: [redis],
        dispatcher,
        edge,
      },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

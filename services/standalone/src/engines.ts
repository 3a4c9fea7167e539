/** The engines of a standalone process: RabbitMQ and Redis when they are configured, else memory. */
import { type Broker, createMemoryBroker, createTopology, openAmqpBroker } from '@signalbox/broker'
import type { Log } from '@signalbox/kit'
import {
  channelBounds,
  createMemoryStore,
  deadLetterBounds,
  deliveryBounds,
  openRedisStore,
  progressBounds,
  recordBounds,
  type Store,
} from '@signalbox/store'
import type { StandaloneConfig } from './config.ts'

export interface Engines {
  broker: Broker
  store: Store
  /** What is printed: `memory` or `RabbitMQ and Redis`. */
  name: string
  /** False: everything is forgotten at the end of the process. */
  isDurable: boolean
}

export async function openEngines(settings: StandaloneConfig, log: Log): Promise<Engines> {
  const namespace = settings.SIGNALBOX_NAMESPACE
  const bounds = {
    ...channelBounds(settings),
    ...deadLetterBounds(settings),
    ...deliveryBounds(settings),
    ...progressBounds(settings),
    ...recordBounds(settings),
  }
  const topology = createTopology({ namespace, vumiBridge: settings.SIGNALBOX_VUMI_BRIDGE })
  if (settings.AMQP_URL === undefined || settings.REDIS_URL === undefined) {
    const broker = createMemoryBroker({ topology, log })
    return { broker, store: createMemoryStore(bounds, log), name: 'memory', isDurable: false }
  }
  const store = openRedisStore({ url: settings.REDIS_URL, namespace, log, bounds })
  const broker = await openAmqpBroker({
    url: settings.AMQP_URL,
    topology,
    log,
    connectionName: 'standalone',
  })
  return { broker, store, name: 'RabbitMQ and Redis', isDurable: true }
}

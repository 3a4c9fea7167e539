/** Brokers that die in the middle of a load: health says so, everything comes back by itself, nothing confirmed is lost. */
import {
  type PrivateRabbitMq,
  type PrivateRedis,
  startPrivateRabbitMq,
  startPrivateRedis,
} from '@signalbox/testkit'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { notReady, putLoadChain, throughAnOutage } from './outage.ts'
import { type System, startSystem } from './system.ts'

const NAMESPACE = 'restart'

const stack = new AsyncDisposableStack()
let rabbitmq: PrivateRabbitMq
let redis: PrivateRedis
let system: System

beforeAll(async () => {
  ;[rabbitmq, redis] = await Promise.all([startPrivateRabbitMq(), startPrivateRedis()])
  stack.use(rabbitmq)
  stack.use(redis)
  const { amqpUrl } = rabbitmq
  const { redisUrl } = redis
  system = stack.use(await startSystem({ amqpUrl, redisUrl, namespace: NAMESPACE, dispatchers: 2 }))
  await putLoadChain(system)
})
afterAll(() => stack.disposeAsync())

describe('every event whose publish was confirmed is handled', () => {
  it('when RabbitMQ is killed and started again in the middle of a load', () =>
    isKilled('rabbitmq', rabbitmq))

  it('when Redis is killed and started again in the middle of a load', () =>
    isKilled('redis', redis))
})

async function isKilled(name: string, broker: PrivateRabbitMq | PrivateRedis): Promise<void> {
  await throughAnOutage(
    { system, amqpUrl: rabbitmq.amqpUrl, namespace: NAMESPACE },
    {
      name,
      begin: () => broker.kill(),
      meanwhile: () => notReady(system.all, new RegExp(`"${name}":`)),
      end: () => broker.start(),
    },
  )
}

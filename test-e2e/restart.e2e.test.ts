/** Brokers that die in the middle of a load: health says so, everything comes back by itself, nothing confirmed is lost. */
import {
  type PrivateRabbitMq,
  type PrivateRedis,
  startPrivateRabbitMq,
  startPrivateRedis,
  waitFor,
} from '@signalbox/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startLoad } from './load.ts'
import { type Instance, putChain, request, type System, startSystem } from './system.ts'

const RATE_PER_SECOND = 200
const BACK_WITHIN_MS = 5_000

const stack = new AsyncDisposableStack()
let rabbitmq: PrivateRabbitMq
let redis: PrivateRedis
let system: System

beforeAll(async () => {
  ;[rabbitmq, redis] = await Promise.all([startPrivateRabbitMq(), startPrivateRedis()])
  stack.use(rabbitmq)
  stack.use(redis)
  system = stack.use(
    await startSystem({
      amqpUrl: rabbitmq.amqpUrl,
      redisUrl: redis.redisUrl,
      namespace: 'restart',
      dispatchers: 2,
    }),
  )
  await putChain(system.api, 'demo', 'two-steps', {
    name: 'Two steps',
    trigger: { conversation_type: 'load', event_type: 'tick' },
    steps: [
      { id: 'first', handler: 'log', config: { message: 'one' } },
      { id: 'second', handler: 'log', config: { message: 'two' } },
    ],
  })
})
afterAll(() => stack.disposeAsync())

describe('every event whose publish was confirmed is handled', () => {
  it('when RabbitMQ is killed and started again in the middle of a load', async () => {
    await throughAnOutage(rabbitmq, 'rabbitmq')
  })

  it('when Redis is killed and started again in the middle of a load', async () => {
    await throughAnOutage(redis, 'redis')
  })
})

async function throughAnOutage(
  broker: PrivateRabbitMq | PrivateRedis,
  name: 'rabbitmq' | 'redis',
): Promise<void> {
  const load = startLoad({
    amqpUrl: rabbitmq.amqpUrl,
    namespace: 'restart',
    ratePerSecond: RATE_PER_SECOND,
    eventOf: (index) => ({
      event_id: `${name}-${index}`,
      account_key: 'demo',
      conversation_key: 'c',
      conversation_type: 'load',
      event_type: 'tick',
      event_data: {},
    }),
  })
  await waitFor(() => load.confirmed.size > 2 * RATE_PER_SECOND, { what: 'the load to run' })

  await broker.kill()
  await waitFor(async () => (await notReadyFor(name)).length === system.all.length, {
    what: `every process to say that ${name} is away`,
  })
  const beforeReturn = load.confirmed.size
  await broker.start()
  const returnedAtMs = performance.now()
  await system.ready(BACK_WITHIN_MS)
  const backAfterMs = performance.now() - returnedAtMs
  expect(backAfterMs, 'ready again').toBeLessThan(BACK_WITHIN_MS)

  await waitFor(() => load.confirmed.size > beforeReturn + 2 * RATE_PER_SECOND, {
    what: 'the load to go on',
  })
  await load.stop()
  await handled(load.confirmed)
}

/** The processes whose readiness names `broker` as what they lack. */
async function notReadyFor(broker: string): Promise<Instance[]> {
  const answers = await Promise.all(
    system.all.map(async (instance) => {
      const response = await fetch(`${instance.url}/readyz`)
      const report = (await response.json()) as { reasons: Record<string, string> }
      return { instance, isNamed: response.status === 503 && broker in report.reasons }
    }),
  )
  return answers.filter((answer) => answer.isNamed).map((answer) => answer.instance)
}

async function handled(eventIds: ReadonlySet<string>): Promise<void> {
  const missing = new Set(eventIds)
  await waitFor(
    async () => {
      for (const eventId of missing) {
        const { body } = await request(
          'GET',
          `${system.api.url}/v1/accounts/demo/events/${eventId}`,
        )
        if (body.outcome !== 'succeeded') return false
        missing.delete(eventId)
      }
      return true
    },
    { what: `${eventIds.size} events to be handled`, timeoutMs: 30_000, intervalMs: 250 },
  ).catch((error: Error) => {
    throw new Error(
      `${error.message}; ${missing.size} are not, among them ${[...missing].slice(0, 3).join(', ')}`,
    )
  })
}

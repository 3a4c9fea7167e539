/** Processes that are told to end: in the middle of a load, one of two at a time; and before they ever reached a broker. */
import {
  freePort,
  leaseRabbitMq,
  leaseRedis,
  startProcess,
  type TestProcess,
  waitFor,
} from '@signalbox/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CountingGateway, startCountingGateway } from './counting-gateway.ts'
import { startLoad } from './load.ts'
import { observe } from './observer.ts'
import { handled, loadEvent } from './outage.ts'
import {
  ADMIN_KEY,
  putChain,
  request,
  SEALING_KEY,
  type System,
  startSystem,
  TOKEN_SECRET,
} from './system.ts'

const RATE_PER_SECOND = 100
const STEPS = ['first', 'second']

const stack = new AsyncDisposableStack()
let brokers: { amqpUrl: string; redisUrl: string; namespace: string }
let gateway: CountingGateway
let system: System

beforeAll(async () => {
  const [rabbitmq, redis] = await Promise.all([leaseRabbitMq(), leaseRedis()])
  stack.defer(() => rabbitmq.release())
  stack.defer(() => redis.release())
  brokers = {
    amqpUrl: rabbitmq.amqpUrl,
    redisUrl: redis.redisUrl,
    namespace: redis.namespace,
  }
  gateway = stack.use(await startCountingGateway(20))
  system = stack.use(
    await startSystem({
      ...brokers,
      dispatchers: 2,
      handlers: 2,
      edges: 2,
      env: { SMS_GATEWAY_URL: gateway.url },
    }),
  )
  await putChain(system.api, 'demo', 'two-messages', {
    name: 'Two messages',
    trigger: { conversation_type: 'load', event_type: 'tick' },
    steps: STEPS.map((id) => ({
      id,
      handler: 'send_sms',
      config: { to: '+27820000001', body: `${id} of \${{ event.event_id }}` },
    })),
  })
})
afterAll(() => stack.disposeAsync())

describe('in the middle of a load, one of two ends on SIGTERM with exit code 0', () => {
  it.each(['dispatchers', 'handlers', 'edges'] as const)(
    'of the %s: every event is handled, every step run exactly once, and people miss nothing',
    async (kind) => {
      const watcher = await observe(system, 'demo').subscribed(
        system.edges[1]!.url,
        kind,
        'flow',
        1,
      )
      const load = startLoad({
        ...brokers,
        ratePerSecond: RATE_PER_SECOND,
        eventOf: (index) => loadEvent(`${kind}-${index}`),
      })
      const grown = async () => {
        const goal = load.confirmed.size + RATE_PER_SECOND
        await waitFor(() => load.confirmed.size > goal, { what: 'the load to go on' })
      }
      try {
        await grown()
        await changeState(kind, 'before')
        system[kind][0]!.process.kill('SIGTERM')
        await changeState(kind, 'meanwhile')
        expect(await system[kind][0]!.process.exited).toBe('exit code 0')
        await changeState(kind, 'after')
        await grown()
      } finally {
        await load.stop()
      }

      await handled(system, load.confirmed)
      const expected = [...load.confirmed].flatMap((id) => STEPS.map((step) => `${step} of ${id}`))
      expect(expected.filter((body) => gateway.sent.get(body) !== 1)).toEqual([])
      const frames = [await watcher.next(), await watcher.next(), await watcher.next()]
      expect(frames.map((frame) => (JSON.parse(frame) as { data: object }).data)).toEqual(
        ['before', 'meanwhile', 'after'].map((id) => expect.objectContaining({ id })),
      )
      await watcher[Symbol.asyncDispose]()
    },
  )
})

describe('without RabbitMQ, a process that was told to end before it reached it', () => {
  it.each(['api', 'dispatcher', 'handlers', 'edge', 'survey'])(
    '%s: says what it waits for, and ends at once with exit code 0',
    async (service) => {
      const [port, nobody] = [await freePort(), await freePort()]
      await using process: TestProcess = await startProcess({
        name: service,
        entry: `services/${service}/src/main.ts`,
        env: {
          AMQP_URL: `amqp://127.0.0.1:${nobody}`,
          REDIS_URL: brokers.redisUrl,
          SIGNALBOX_NAMESPACE: brokers.namespace,
          SIGNALBOX_ADMIN_KEY: ADMIN_KEY,
          SIGNALBOX_TOKEN_SECRET: TOKEN_SECRET,
          SIGNALBOX_SEALING_KEY: SEALING_KEY,
          HOST: '127.0.0.1',
          PORT: String(port),
        },
      })
      await waitFor(
        async () => {
          const { status, body } = await request('GET', `http://127.0.0.1:${port}/readyz`)
          return status === 503 && JSON.stringify(body).includes('ECONNREFUSED')
        },
        { what: 'the reason', intervalMs: 100 },
      )
      const toldAtMs = performance.now()
      process.kill('SIGTERM')
      expect(await process.exited).toBe('exit code 0')
      // A fifth of the default DRAIN_TIMEOUT_MS, which is what it would take if it waited.
      expect(performance.now() - toldAtMs).toBeLessThan(5_000)
    },
  )
})

async function changeState(person: string, id: string): Promise<void> {
  const { status } = await request('POST', `${system.api.url}/v1/accounts/demo/events`, {
    conversation_key: 'c',
    conversation_type: 'load',
    event_type: 'flow_state_change',
    person_key: person,
    event_data: { id, identifier: 'flow', state: 'active', previous_state: 'inactive' },
  })
  expect(status).toBe(202)
}

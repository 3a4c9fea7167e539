import { type Broker, createPublisher, createTopology, openAmqpBroker } from '@signalbox/broker'
import type { HandlerInvocation } from '@signalbox/contracts'
import { createReadiness, silentLog } from '@signalbox/kit'
import { openRedisStore, type Store } from '@signalbox/store'
import {
  createManagementApi,
  freePort,
  leaseRabbitMq,
  leaseRedis,
  type RabbitMqLease,
  type RedisLease,
  startProcess,
  waitFor,
} from '@signalbox/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { createWorker, defineHandler } from '../src/index.ts'
import { anInvocation, collectOutcomes, type Outcomes } from './invocations.ts'

const INVOCATIONS = 1_500
const BATCH = 15

let rabbitMq: RabbitMqLease
let redis: RedisLease
let broker: Broker
let store: Store
let outcomes: Outcomes

beforeAll(async () => {
  rabbitMq = await leaseRabbitMq()
  redis = await leaseRedis()
  broker = await openBroker('dispatcher-of-the-test')
  store = openRedisStore({ url: redis.redisUrl, namespace: redis.namespace, log: silentLog })
  outcomes = await collectOutcomes(broker)
})
afterAll(async () => {
  await broker.close()
  await store.close()
  await rabbitMq.release()
  await redis.release()
})

function openBroker(connectionName: string): Promise<Broker> {
  const topology = createTopology({ namespace: redis.namespace })
  return openAmqpBroker({ url: rabbitMq.amqpUrl, topology, log: silentLog, connectionName })
}

/** Publishes the load for a handler; resolves to the identities when all of it is confirmed. */
async function publishLoad(handler: string): Promise<Set<string>> {
  await broker.declare(broker.topology.handlerQueue(handler))
  const { invocations } = createPublisher(broker)
  const all = Array.from({ length: INVOCATIONS }, (_, n) => anInvocation(handler, { n }))
  for (let start = 0; start < all.length; start += BATCH) {
    const batch = all.slice(start, start + BATCH) as [HandlerInvocation, ...HandlerInvocation[]]
    expect(await invocations(batch)).toBe('routed')
  }
  return new Set(all.map(({ invocation_id }) => invocation_id))
}

/** The results of these invocations so far, each counted once. */
function answered(ids: ReadonlySet<string>): Set<string> {
  const found = outcomes.results.map(({ invocation_id }) => invocation_id)
  return new Set(found.filter((id) => ids.has(id)))
}

const allAnswered = (ids: ReadonlySet<string>) =>
  waitFor(() => answered(ids).size === ids.size, { what: 'all results', timeoutMs: 20_000 })

/** A process of `processes/`, ready. */
async function startWorkerProcess(name: string, env: Record<string, string> = {}) {
  const port = await freePort()
  const process = await startProcess({
    entry: new URL(`./processes/${name}.ts`, import.meta.url),
    name,
    env: {
      AMQP_URL: rabbitMq.amqpUrl,
      REDIS_URL: redis.redisUrl,
      SIGNALBOX_NAMESPACE: redis.namespace,
      HOST: '127.0.0.1',
      PORT: String(port),
      ...env,
    },
  })
  await process.waitForReady(`http://127.0.0.1:${port}`)
  return process
}

const work = defineHandler({
  name: 'work',
  description: 'Takes a turn of the event loop.',
  config: z.object({ n: z.int() }),
  async handle({ config }) {
    await new Promise((resolve) => setImmediate(resolve))
    return { output: config.n }
  },
})

/** A worker on a connection of its own, as if it were a process. */
async function startWorker() {
  const own = await openBroker('worker-of-the-test')
  const worker = await createWorker(
    { handlers: [work] },
    {
      broker: own,
      catalog: store.catalog,
      progress: store.progress,
      log: silentLog,
      readiness: createReadiness(),
    },
  )
  return {
    async close() {
      await worker.close()
      await own.close()
    },
  }
}

test('a worker that closes under load answers what it has and leaves the rest to the next', async () => {
  const ids = await publishLoad('work')
  const first = await startWorker()
  await waitFor(() => answered(ids).size > 0, { what: 'the first results', intervalMs: 1 })
  await first.close()
  const atClose = answered(ids).size
  expect(atClose).toBeLessThan(INVOCATIONS)

  const second = await startWorker()
  await allAnswered(ids)
  await second.close()
  expect(outcomes.results.filter(({ invocation_id }) => ids.has(invocation_id))).toHaveLength(
    INVOCATIONS,
  )
  expect(outcomes.deadLetters).toEqual([])
})

test('a process ends cleanly on SIGTERM under load, one that is killed loses nothing either', async () => {
  const ids = await publishLoad('echo')
  const start = () => startWorkerProcess('echo-worker')
  const answeredMoreThan = (count: number) =>
    waitFor(() => answered(ids).size > count, { what: `more than ${count} results` })

  const terminated = await start()
  await answeredMoreThan(0)
  expect(await store.catalog.get('echo')).toMatchObject({ workers: [expect.anything()] })
  terminated.kill('SIGTERM')
  expect(await terminated.exited).toBe('exit code 0')
  expect(await store.catalog.get('echo')).toMatchObject({ workers: [] })
  const afterTermination = answered(ids).size
  expect(afterTermination).toBeLessThan(INVOCATIONS)

  const killed = await start()
  await answeredMoreThan(afterTermination)
  killed.kill('SIGKILL')
  expect(await killed.exited).toBe('SIGKILL')

  const last = await start()
  await allAnswered(ids)
  await last[Symbol.asyncDispose]()
  const results = outcomes.results.filter(({ invocation_id }) => ids.has(invocation_id))
  expect(results.every(({ status }) => status === 'succeeded')).toBe(true)
  expect(outcomes.deadLetters).toEqual([])
})

test('a handler that never ends does not outlive the time its process has, and its invocation goes back', async () => {
  const { invocations } = createPublisher(broker)
  const process = await startWorkerProcess('stuck-worker', { DRAIN_TIMEOUT_MS: '2000' })
  expect(await invocations([anInvocation('stuck', { n: 1 })])).toBe('routed')
  const { managementUrl, vhost } = rabbitMq
  const queue = `/queues/${vhost}/${broker.topology.handlerQueue('stuck').name}`
  const counts = async () =>
    (await createManagementApi(managementUrl).get(queue)) as Record<string, number>
  await waitFor(async () => (await counts()).messages_unacknowledged === 1, {
    what: 'the handler to be at it',
  })

  const toldAtMs = performance.now()
  process.kill('SIGTERM')
  expect(await process.exited).toBe('exit code 0')
  expect(performance.now() - toldAtMs).toBeLessThan(4_000)
  await waitFor(async () => (await counts()).messages_ready === 1, { what: 'the invocation' })
})

import { createTopology, openAmqpBroker } from '@signalbox/broker'
import { silentLog } from '@signalbox/kit'
import {
  freePort,
  leaseRabbitMq,
  leaseRedis,
  type RabbitMqLease,
  type RedisLease,
} from '@signalbox/testkit'
import amqp from 'amqplib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RuleResult, WORKER_RULES, workerConformance } from '../src/index.ts'
import type { WorkerConformanceOptions } from '../src/worker-conformance.ts'

let rabbitMq: RabbitMqLease
let redis: RedisLease

beforeAll(async () => {
  rabbitMq = await leaseRabbitMq()
  redis = await leaseRedis()
})
afterAll(async () => {
  await rabbitMq.release()
  await redis.release()
})

/** A namespace of its own for each worker, with the handler's queue in it. */
async function declareQueue(namespace: string): Promise<void> {
  const topology = createTopology({ namespace })
  await using broker = await openAmqpBroker({
    url: rabbitMq.amqpUrl,
    topology,
    log: silentLog,
    connectionName: 'test',
  })
  await broker.declare(topology.handlerQueue('reverse'))
}

function conformanceOf(namespace: string, options: Partial<WorkerConformanceOptions>) {
  const { amqpUrl } = rabbitMq
  const config = { text: 'signalbox' }
  return workerConformance({ amqpUrl, handler: 'reverse', config, namespace, ...options })
}

async function resultsFor(
  worker: string,
  overrides: Partial<WorkerConformanceOptions> = {},
): Promise<RuleResult[]> {
  const namespace = `${redis.namespace}-${worker}`
  await declareQueue(namespace)
  const entry = new URL(`./processes/${worker}.ts`, import.meta.url).pathname
  const results = conformanceOf(namespace, {
    managementUrl: rabbitMq.managementUrl,
    badConfig: { text: 7 },
    command: {
      line: `${process.execPath} ${entry}`,
      env: {
        PATH: process.env.PATH ?? '',
        AMQP_URL: rabbitMq.amqpUrl,
        REDIS_URL: redis.redisUrl,
        SIGNALBOX_NAMESPACE: namespace,
        HOST: '127.0.0.1',
        PORT: String(await freePort()),
      },
    },
    ...overrides,
  })
  const all: RuleResult[] = []
  for await (const result of results) all.push(result)
  return all
}

test.concurrent('a worker of the SDK keeps every rule', async () => {
  const results = await resultsFor('sample-worker')
  expect(results.filter(({ outcome }) => outcome !== 'passed')).toEqual([])
  expect(results.map(({ id }) => id)).toEqual(Object.keys(WORKER_RULES))
})

test.concurrent('a worker that does most things wrong fails the rules that it breaks, and no other', async () => {
  const results = await resultsFor('bad-worker', { timeoutMs: 1_000 })
  const failed = results.filter(({ outcome }) => outcome === 'failed')
  expect(Object.fromEntries(failed.map(({ id, detail }) => [id, detail]))).toEqual({
    'answers-batch': '7 of 8 invocations were not answered within 1000 ms',
    'answers-redelivered': '2 of 4 invocations were not answered within 1000 ms',
    'bounds-prefetch': 'the consumer leaves acknowledging to the broker',
    'bounds-results': 'an output has 70013 bytes',
    'confirms-before-ack': '1 of 1 invocations were not answered within 1000 ms',
    'echoes-context': 'context.event.conversation_key did not come back',
    'echoes-identity': 'attempt 3 came back as 1',
    'finishes-on-sigterm': expect.stringMatching(/^it ended with exit code 3/),
    'reports-bad-config': 'the status is "succeeded", not "failed"',
    'sends-persistent': 'an answer has delivery_mode unset',
    'sends-results': expect.stringMatching(/^a result is not valid: duration_ms: is required; /),
    'survives-connection-loss': '1 of 1 invocations were not answered within 1000 ms',
    'survives-not-json': '1 of 1 invocations were not answered within 1000 ms',
    'survives-wrong-shape': '1 of 1 invocations were not answered within 1000 ms',
  })
  expect(results.filter(({ outcome }) => outcome === 'skipped')).toEqual([])
})

test.concurrent('a worker that answers failed, and always in one place, fails for that', async () => {
  const namespace = `${redis.namespace}-one-place`
  await declareQueue(namespace)
  const connection = await amqp.connect(rabbitMq.amqpUrl)
  const channel = await connection.createChannel()
  const places: string[] = []
  await channel.consume(`${namespace}.handler.reverse`, (message) => {
    if (!message) return
    channel.ack(message)
    places.push(String(message.properties.replyTo))
    const [{ invocation_id, attempt }] = JSON.parse(message.content.toString() || '[{}]')
    const result = { invocation_id, attempt, status: 'failed' }
    channel.sendToQueue(places[1] ?? '', Buffer.from(JSON.stringify([result])))
  })
  const failed: Record<string, string | undefined> = {}
  for await (const { id, outcome, detail } of conformanceOf(namespace, { timeoutMs: 1_000 })) {
    if (outcome === 'failed') failed[id] = detail
    if (id === 'honours-reply-to') break
  }
  await connection.close()
  expect(failed).toMatchObject({
    'answers-single': 'the status is "failed", not "succeeded"',
    'honours-reply-to': '1 of 1 invocations were not answered within 1000 ms',
  })
})

test.concurrent('without a worker the first rule fails, and no other is held against it', async () => {
  const namespace = `${redis.namespace}-none`
  const outcomes: string[] = []
  for await (const { id, outcome, detail } of conformanceOf(namespace, { timeoutMs: 100 })) {
    outcomes.push(outcome)
    if (id !== 'consumes-queue') continue
    expect(detail).toBe(`the queue ${namespace}.handler.reverse does not exist after 100 ms`)
  }
  const [first, ...others] = outcomes
  expect([first, ...new Set(others)]).toEqual(['failed', 'skipped'])
})

test.concurrent('a worker that cannot start is started once, and told with its last words', async () => {
  const results: RuleResult[] = []
  const command = { line: `sh -c 'echo "no such module"; exit 7'`, env: {} }
  const namespace = `${redis.namespace}-mute`
  for await (const result of conformanceOf(namespace, { command })) results.push(result)
  const [first, ...others] = results
  expect(first).toMatchObject({
    outcome: 'failed',
    detail: `the queue ${namespace}.handler.reverse does not exist; the worker ended with exit code 7:\nno such module`,
  })
  expect(new Set(others.map(({ outcome }) => outcome))).toEqual(new Set(['skipped']))
})

test('a broker that is not there is no fault of the worker', async () => {
  const amqpUrl = `amqp://user:password@127.0.0.1:${await freePort()}`
  const results = workerConformance({ amqpUrl, handler: 'reverse' })
  await expect(results.next()).rejects.toThrow(/^RabbitMQ cannot be reached: .*ECONNREFUSED/)
})

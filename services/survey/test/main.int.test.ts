import { createTopology, openAmqpBroker } from '@signalbox/broker'
import type { VumiApiEvent } from '@signalbox/contracts'
import { silentLog } from '@signalbox/kit'
import {
  freePort,
  leaseRabbitMq,
  leaseRedis,
  type RabbitMqLease,
  type RedisLease,
  startProcess,
  waitFor,
} from '@signalbox/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DEMO_POLL } from '../src/demo-poll.ts'
import { ADMIN, ADMIN_KEY, TOKEN_SECRET } from './fixture.ts'

const MAIN = new URL('../src/main.ts', import.meta.url)

let rabbitMq: RabbitMqLease
let redis: RedisLease

beforeAll(async () => {
  rabbitMq = await leaseRabbitMq()
  redis = await leaseRedis()
})
afterAll(async () => {
  await redis?.release()
  await rabbitMq?.release()
})

async function startSurveyProcess(env: Record<string, string> = {}) {
  const port = await freePort()
  const survey = await startProcess({
    name: 'survey',
    entry: MAIN,
    env: {
      PORT: String(port),
      HOST: '127.0.0.1',
      AMQP_URL: rabbitMq.amqpUrl,
      REDIS_URL: redis.redisUrl,
      SIGNALBOX_NAMESPACE: redis.namespace,
      SIGNALBOX_ADMIN_KEY: ADMIN_KEY,
      SIGNALBOX_TOKEN_SECRET: TOKEN_SECRET,
      ...env,
    },
  })
  const baseUrl = `http://127.0.0.1:${port}`
  return {
    process: survey,
    baseUrl,
    async send(method: 'PUT' | 'POST' | 'GET', path: string, body?: object) {
      const response = await fetch(`${baseUrl}${path}`, {
        method,
        headers: { ...ADMIN, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      expect(response.ok, `${method} ${path}: ${response.status}`).toBe(true)
      return (await response.json()) as { session_id: string; state: string; question: unknown }
    },
    [Symbol.asyncDispose]: () => survey[Symbol.asyncDispose](),
  }
}

/** What reaches the edge, as this test sees it. */
async function collectEvents() {
  const broker = await openAmqpBroker({
    url: rabbitMq.amqpUrl,
    topology: createTopology({ namespace: redis.namespace }),
    log: silentLog,
    connectionName: 'survey test',
  })
  const events: VumiApiEvent[] = []
  await broker.consume(broker.topology.queue.dispatcherEvents, {}, async ({ body }) => {
    events.push(JSON.parse(body.toString()) as VumiApiEvent)
    return { kind: 'ack' }
  })
  return { events, [Symbol.asyncDispose]: () => broker.close() }
}

test('a survey that is killed in the middle of a poll goes on where its person was, and loses no change', async () => {
  await using collected = await collectEvents()
  const { poll_key: poll, ...definition } = DEMO_POLL
  const sessions = `/v1/polls/${poll}/sessions`

  await using first = await startSurveyProcess()
  await first.process.waitForReady(first.baseUrl)
  await first.send('PUT', `/v1/polls/${poll}`, definition)
  const { session_id } = await first.send('POST', sessions, { person_key: 'p1' })
  const answers = `${sessions}/${session_id}/answers`
  await first.send('POST', answers, { question: 'name', answer: 'Thandi' })
  first.process.kill('SIGKILL')
  await first.process.exited

  await using second = await startSurveyProcess()
  await second.process.waitForReady(second.baseUrl)
  const resumed = await second.send('GET', `${sessions}/${session_id}`)
  expect(resumed).toMatchObject({ state: 'active', question: { id: 'outdoors' } })
  for (const [question, answer] of [
    ['name', 'Thandi'],
    ['outdoors', 'daily'],
    ['garden', 'no'],
    ['msisdn', '+27825550100'],
  ]) {
    await second.send('POST', answers, { question, answer })
  }

  const isComplete = () => collected.events.some(({ event_type }) => event_type === 'poll_complete')
  await waitFor(isComplete, { what: 'poll_complete' })
  const distinct = new Map(collected.events.map((event) => [event.event_id, event]))
  expect(
    [...distinct.values()].map(({ event_data: { identifier, state } }) => [identifier, state]),
  ).toEqual([
    ['spring-poll', 'active'],
    ['name', 'active'],
    ['name', 'completed'],
    ['outdoors', 'active'],
    ['outdoors', 'completed'],
    ['garden', 'active'],
    ['garden', 'completed'],
    ['msisdn', 'active'],
    ['msisdn', 'completed'],
    ['spring-poll', 'completed'],
    [undefined, undefined],
  ])

  second.process.kill('SIGTERM')
  expect(await second.process.exited).toBe('exit code 0')
})

test('a survey that never finds its RabbitMQ takes answers, says that it is not ready, and ends when told to', async () => {
  await using survey = await startSurveyProcess({
    AMQP_URL: `amqp://127.0.0.1:${await freePort()}`,
  })
  const { poll_key: poll, ...definition } = DEMO_POLL
  await waitFor(() => survey.send('PUT', `/v1/polls/${poll}`, definition), { what: 'HTTP' })
  const begun = await survey.send('POST', `/v1/polls/${poll}/sessions`, { person_key: 'p2' })
  expect(begun).toMatchObject({ state: 'active', question: { id: 'name' } })
  const report = await fetch(`${survey.baseUrl}/readyz`)
  expect(report.status).toBe(503)
  expect(await report.json()).toMatchObject({ reasons: { rabbitmq: expect.any(String) } })

  survey.process.kill('SIGTERM')
  expect(await survey.process.exited).toBe('exit code 0')
})

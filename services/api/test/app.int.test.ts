/** The api on RabbitMQ and Redis: what it puts on the wire, and what it answers while one of them is away. */
import { type Broker, createTopology, openAmqpBroker } from '@signalbox/broker'
import type { ApiScope } from '@signalbox/contracts'
import { createMetrics, createReadiness, silentLog as log } from '@signalbox/kit'
import { openRedisStore, type Store } from '@signalbox/store'
import {
  freePort,
  leaseRabbitMq,
  leaseRedis,
  type RabbitMqLease,
  startPrivateRedis,
  waitFor,
} from '@signalbox/testkit'
import { expect, test } from 'vitest'
import { createApi } from '../src/app.ts'

const ADMIN = { authorization: 'Bearer admin' }
const EVENT = {
  event_id: 'e-1',
  conversation_key: 'spring-poll',
  conversation_type: 'poll',
  event_type: 'poll_complete',
  event_data: { name: 'Zoë' },
  timestamp: '2026-03-01T10:00:00.123Z',
}
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

function apiOn(broker: Broker, store: Store) {
  return createApi(
    { adminKey: 'admin', tokenSecret: 'x'.repeat(32), sealingKeys: 'ab'.repeat(32) },
    {
      broker,
      store,
      log,
      readiness: createReadiness(),
      metrics: createMetrics({ withProcessMetrics: false }),
    },
  )
}

const brokerOn = (url: string, publishTimeoutMs?: number) =>
  openAmqpBroker({
    url,
    topology: createTopology(),
    log,
    connectionName: 'api-test',
    ...(publishTimeoutMs === undefined ? {} : { publishTimeoutMs }),
  })

test('a confirmed event lies in the queue with the bytes, properties and routing key of the wire', async () => {
  await using rabbitMq = await leaseRabbitMq()
  await using redis = await leaseRedis()
  await using broker = await brokerOn(rabbitMq.amqpUrl)
  await using store = openRedisStore({ url: redis.redisUrl, namespace: redis.namespace, log })
  await using api = apiOn(broker, store)

  const answer = await api.app.inject({
    method: 'POST',
    url: '/v1/accounts/acme/events',
    payload: EVENT,
    headers: { ...ADMIN, traceparent: TRACEPARENT },
  })
  expect({ status: answer.statusCode, body: answer.json() }).toEqual({
    status: 202,
    body: { event_ids: ['e-1'] },
  })

  const message = await takeFrom(rabbitMq, 'signalbox.dispatcher.events')
  expect(message.exchange).toBe('signalbox.events')
  expect(message.routing_key).toBe('poll.poll_complete.acme')
  expect(message.properties).toMatchObject({
    content_type: 'application/json',
    delivery_mode: 2,
    headers: { traceparent: TRACEPARENT },
    message_id: 'e-1',
    timestamp: Math.floor(Date.parse(EVENT.timestamp) / 1_000),
    type: 'VumiApiEvent',
  })
  expect(Buffer.from(message.payload, 'base64').toString()).toBe(
    JSON.stringify({ ...EVENT, account_key: 'acme' }),
  )
})

test('a chain, a key and a registered handler are there for the next api', async () => {
  await using rabbitMq = await leaseRabbitMq()
  await using redis = await leaseRedis()
  await using broker = await brokerOn(rabbitMq.amqpUrl)
  await using store = openRedisStore({ url: redis.redisUrl, namespace: redis.namespace, log })
  const chain = {
    name: 'Letters',
    trigger: { conversation_type: 'poll', event_type: '*' },
    steps: [{ id: 'letter', handler: 'write_letter', config: { to: '${{ event.person_key }}' } }],
  }
  let credential: string
  {
    await using api = apiOn(broker, store)
    const put = (url: string, payload: object) =>
      api.app.inject({ method: 'PUT', url, payload, headers: ADMIN })
    const description = { description: 'Writes a letter.', config_schema: { type: 'object' } }
    const registered = await put('/v1/handlers/write_letter', description)
    expect(registered.statusCode).toBe(200)
    const queue = await fetchQueue(rabbitMq, registered.json().queue)
    expect(queue).toMatchObject({ durable: true, arguments: { 'x-queue-type': 'quorum' } })
    expect((await put('/v1/accounts/acme/chains/letters', chain)).statusCode).toBe(201)
    credential = await keyOn(api, 'read')
  }
  await using api = apiOn(broker, store)
  const answer = await api.app.inject({
    url: '/v1/accounts/acme/chains/letters',
    headers: { authorization: `Bearer ${credential}` },
  })
  expect(answer.json()).toMatchObject({ name: 'Letters', version: 1 })
})

test('while RabbitMQ is away a publish is answered 503 at once, with identities to repeat it', async () => {
  await using redis = await leaseRedis()
  await using broker = await brokerOn(`amqp://guest:guest@127.0.0.1:${await freePort()}`, 600_000)
  await waitFor(() => broker.unavailableReason()?.includes('ECONNREFUSED'), { what: 'the outage' })
  await using store = openRedisStore({ url: redis.redisUrl, namespace: redis.namespace, log })
  await using api = apiOn(broker, store)
  const answer = await api.app.inject({
    method: 'POST',
    url: '/v1/accounts/acme/events',
    payload: [EVENT, { ...EVENT, event_id: undefined }],
    headers: ADMIN,
  })
  expect(answer.json()).toMatchObject({
    status: 503,
    code: 'SB_BROKER_UNAVAILABLE',
    retryable: true,
    event_ids: ['e-1', expect.any(String)],
    confirmed_event_ids: [],
  })
  expect(answer.headers['retry-after']).toBe('1')
  const registered = await api.app.inject({
    method: 'PUT',
    url: '/v1/handlers/write_letter',
    payload: { description: 'Writes a letter', config_schema: {} },
    headers: ADMIN,
  })
  expect(registered.json()).toMatchObject({ status: 503, code: 'SB_BROKER_UNAVAILABLE' })
  expect((await api.app.inject('/readyz')).json().reasons).toHaveProperty('rabbitmq')
})

test('while Redis is away keys and look-ups are answered 503, never 401 or 404, and it comes back', async () => {
  await using rabbitMq = await leaseRabbitMq()
  await using redis = await startPrivateRedis()
  await using broker = await brokerOn(rabbitMq.amqpUrl)
  await using store = openRedisStore({
    url: redis.redisUrl,
    namespace: 'api',
    log,
    commandTimeoutMs: 300,
  })
  await using api = apiOn(broker, store)
  const withKey = { authorization: `Bearer ${await keyOn(api, 'read')}` }
  const statusOf = async (path: string, headers: Record<string, string>) => {
    const answer = await api.app.inject({ url: `/v1/accounts/acme/${path}`, headers })
    return `${answer.statusCode} ${answer.json().code ?? ''}`.trim()
  }
  expect(await statusOf('chains', withKey)).toBe('200')

  await redis.kill()
  for (const path of ['chains', 'chains/x', 'events', 'events/x', 'contacts/x', 'handlers']) {
    expect(await statusOf(path, ADMIN)).toBe('503 SB_STORE_UNAVAILABLE')
  }
  expect(await statusOf('chains', withKey)).toBe('503 SB_STORE_UNAVAILABLE')
  expect((await api.app.inject('/readyz')).json().reasons).toHaveProperty('redis')
  const published = await api.app.inject({
    method: 'POST',
    url: '/v1/accounts/acme/events',
    payload: EVENT,
    headers: ADMIN,
  })
  expect(published.statusCode).toBe(202)

  await redis.start()
  await waitFor(async () => (await statusOf('chains', withKey)) === '200', {
    what: 'the key to be taken again',
  })
})

async function keyOn(api: ReturnType<typeof apiOn>, scope: ApiScope): Promise<string> {
  const answer = await api.app.inject({
    method: 'POST',
    url: '/v1/accounts/acme/keys',
    payload: { name: 'test', scopes: [scope] },
    headers: ADMIN,
  })
  return answer.json<{ credential: string }>().credential
}

interface TakenMessage {
  exchange: string
  routing_key: string
  properties: Record<string, unknown>
  payload: string
}

async function takeFrom(lease: RabbitMqLease, queue: string): Promise<TakenMessage> {
  const messages = await manage<TakenMessage[]>(lease, `${queue}/get`, {
    count: 1,
    ackmode: 'ack_requeue_false',
    encoding: 'base64',
  })
  return messages[0]!
}

const fetchQueue = (lease: RabbitMqLease, queue: string) => manage<object>(lease, queue)

/** The management API, on a queue of the vhost. */
async function manage<Answer>(lease: RabbitMqLease, path: string, body?: object): Promise<Answer> {
  const { origin, username, password } = new URL(lease.managementUrl)
  const response = await fetch(`${origin}/api/queues/${lease.vhost}/${path}`, {
    headers: {
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
      'content-type': 'application/json',
    },
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
  })
  expect(response.status).toBe(200)
  return (await response.json()) as Answer
}

import { type Broker, createPublisher, createTopology, openAmqpBroker } from '@signalbox/broker'
import { completeEvent, type EventInput, uuidv7 } from '@signalbox/contracts'
import { createMetrics, createReadiness, silentLog } from '@signalbox/kit'
import { verifySignature } from '@signalbox/outbound'
import { createDispatcher } from '@signalbox/service-dispatcher'
import { openRedisStore, type Store } from '@signalbox/store'
import {
  freePort,
  leaseRabbitMq,
  leaseRedis,
  type RabbitMqLease,
  startProcess,
  type TestProcess,
  waitFor,
} from '@signalbox/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  openEndpoint,
  putListener,
  type ReceivedRequest,
  SEALING_KEY,
  setListenerState,
} from './fixtures.ts'

const stack = new AsyncDisposableStack()
const CALLBACKS = new URL('../src/main.ts', import.meta.url)
let rabbitMq: RabbitMqLease
let env: Record<string, string>
let broker: Broker
let store: Store

beforeAll(async () => {
  rabbitMq = stack.use(await leaseRabbitMq())
  const { redisUrl, namespace } = stack.use(await leaseRedis())
  const { amqpUrl } = rabbitMq
  env = {
    AMQP_URL: amqpUrl,
    REDIS_URL: redisUrl,
    SIGNALBOX_NAMESPACE: namespace,
    SIGNALBOX_SEALING_KEY: SEALING_KEY,
    SIGNALBOX_CALLBACK_ALLOW: '127.0.0.0/8,::1/128',
    SIGNALBOX_CALLBACK_ALLOW_HTTP: 'true',
    HOST: '127.0.0.1',
    LOG_LEVEL: 'warn',
  }
  const topology = createTopology({ namespace })
  const open = async (connectionName: string) =>
    stack.use(await openAmqpBroker({ url: amqpUrl, topology, log: silentLog, connectionName }))
  store = stack.use(openRedisStore({ url: redisUrl, namespace, log: silentLog }))
  broker = await open('test')
  stack.use(
    await createDispatcher(
      {},
      {
        store,
        broker: await open('dispatcher'),
        log: silentLog,
        readiness: createReadiness(),
        metrics: createMetrics({ withProcessMetrics: false }),
      },
    ),
  )
  stack.use(await startCallbacks())
})
afterAll(() => stack.disposeAsync())

/** A process of its own, ready. */
async function startCallbacks(extra: Record<string, string> = {}): Promise<TestProcess> {
  const port = await freePort()
  const process = await startProcess({
    name: 'callbacks',
    entry: CALLBACKS,
    env: { ...env, PORT: String(port), ...extra },
  })
  await process.waitForReady(`http://127.0.0.1:${port}`)
  return process
}

async function publish(accountKey: string, eventType: string, overrides: Partial<EventInput> = {}) {
  const event = completeEvent({
    account_key: accountKey,
    conversation_key: 'spring',
    conversation_type: 'poll',
    event_type: eventType,
    event_data: {},
    ...overrides,
  })
  await createPublisher(broker).event(event)
  return event
}

const until = (what: string, isSo: () => unknown, timeoutMs = 20_000) =>
  waitFor(async () => isSo(), { what, timeoutMs })

const eventIdOf = ({ body }: ReceivedRequest) => (JSON.parse(body) as { event_id: string }).event_id

const biographyOf = (accountKey: string, eventId: string) =>
  waitFor(
    async () => {
      const biography = await store.biographies.get(accountKey, eventId)
      return biography && biography.outcome !== 'pending' && biography
    },
    { what: `event ${eventId} to end`, timeoutMs: 20_000 },
  )

describe('an event that a listener is for', () => {
  it('reaches its endpoint signed, again under the same id after a failure, and every attempt is kept', async () => {
    let failures = 1
    await using endpoint = await openEndpoint((_request, response) => {
      failures -= 1
      response.writeHead(failures >= 0 ? 503 : 200).end('it is well')
    })
    const secrets = await putListener(store, 'first', 'shop', {
      callback: {
        type: 'http',
        url: `${endpoint.url}/hook`,
        headers: { 'x-who': '${{ event.account_key }}' },
      },
      callbackSecrets: { 'headers.authorization': 'Bearer hunter2' },
      eventTypes: ['poll_complete', 'poll_closed'],
      retry: { max_attempts: 3, initial_delay_ms: 1_000 },
    })
    const event = await publish('first', 'poll_closed')
    const biography = await biographyOf('first', event.event_id)

    expect(biography.outcome).toBe('succeeded')
    expect(biography.runs[0]?.steps.map(({ status, attempt }) => [status, attempt])).toEqual([
      ['failed', 1],
      ['succeeded', 2],
    ])
    expect(endpoint.requests).toHaveLength(2)
    const [first, second] = endpoint.requests
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id'])
    for (const request of endpoint.requests) {
      const received = { headers: request.headers, body: request.body, secrets }
      expect(verifySignature(received, { nowMs: Date.now() })).toEqual({ isValid: true })
      expect(JSON.parse(request.body)).toMatchObject({ event_id: event.event_id })
      expect(request).toMatchObject({ path: '/hook', method: 'POST' })
      expect(request.headers).toMatchObject({ authorization: 'Bearer hunter2', 'x-who': 'first' })
    }
    const kept = await waitFor(
      async () => {
        const deliveries = await store.deliveries.ofEvent('first', event.event_id)
        return deliveries.length === 2 && deliveries
      },
      { what: 'both attempts to be kept' },
    )
    expect(kept).toMatchObject([
      { attempt: 1, outcome: 'refused', status: 503, listener_id: 'shop' },
      { attempt: 2, outcome: 'delivered', status: 200, response_excerpt: 'it is well' },
    ])
    expect(kept[0]?.run_id).toBe(biography.runs[0]?.run_id)
    expect(JSON.stringify(kept)).not.toContain('hunter2')
  })

  it('is told no more when its endpoint answers 410: the listener is disabled, which an event tells', async () => {
    await using endpoint = await openEndpoint((_request, response) => response.writeHead(410).end())
    await using told = await openEndpoint()
    await putListener(store, 'gone', 'dead', {
      callback: { type: 'http', url: endpoint.url },
      eventTypes: ['lost'],
    })
    await putListener(store, 'gone', 'ops', {
      callback: { type: 'http', url: told.url },
      eventTypes: ['listener_disabled'],
    })
    const event = await publish('gone', 'lost')
    expect((await biographyOf('gone', event.event_id)).outcome).toBe('dead_lettered')
    await until('the event to be told', () => told.requests.length === 1)
    expect(JSON.parse(told.requests[0]!.body)).toMatchObject({
      conversation_type: 'signalbox',
      conversation_key: 'dead',
      event_data: { listener_id: 'dead', reason: 'the endpoint answered 410: it is gone' },
    })
    expect((await store.listeners.get('gone', 'dead'))?.listener.state).toBe('disabled')
    expect(endpoint.requests).toHaveLength(1)
  })
})

describe('a callback over AMQP', () => {
  it('reaches the queue behind an exchange on our broker, and says when none is bound', async () => {
    await using theirs = await openTheirs()
    await putListener(store, 'amqp', 'there', {
      callback: { type: 'amqp', exchange: theirs.exchange },
      eventTypes: ['bound'],
    })
    await putListener(store, 'amqp', 'nowhere', {
      callback: { type: 'amqp', exchange: theirs.exchange, routing_key: 'nobody' },
      eventTypes: ['unbound'],
      retry: { max_attempts: 1 },
    })
    const event = await publish('amqp', 'bound')
    const message = await theirs.next()
    expect(JSON.parse(message.body)).toMatchObject({ event_id: event.event_id })
    expect(message.type).toBe('VumiApiEvent')
    const [kept] = await waitFor(
      async () => {
        const deliveries = await store.deliveries.ofEvent('amqp', event.event_id)
        return deliveries.length > 0 && deliveries
      },
      { what: 'the delivery to be kept' },
    )
    expect(kept).toMatchObject({
      outcome: 'delivered',
      request: { headers: { 'webhook-id': message.messageId } },
    })

    const lost = await publish('amqp', 'unbound')
    const { runs } = await biographyOf('amqp', lost.event_id)
    expect(runs[0]?.error).toMatchObject({ code: 'UNROUTABLE' })
  })

  it('reaches another broker by URL, with the credentials of its listener', async () => {
    await using theirs = await openTheirs()
    const { port, pathname, username, password } = new URL(rabbitMq.amqpUrl)
    await putListener(store, 'amqp', 'foreign', {
      callback: {
        type: 'amqp',
        url: `amqp://127.0.0.1:${port}${pathname}`,
        exchange: theirs.exchange,
        username,
      },
      callbackSecrets: { password },
      eventTypes: ['foreign'],
    })
    const event = await publish('amqp', 'foreign')
    expect(JSON.parse((await theirs.next()).body)).toMatchObject({ event_id: event.event_id })
  })

  it('never reaches an exchange of ours', async () => {
    const exchange = broker.topology.exchange.events
    await putListener(store, 'amqp', 'inside', {
      callback: { type: 'amqp', exchange },
      eventTypes: ['inside'],
      retry: { max_attempts: 1 },
    })
    const event = await publish('amqp', 'inside')
    const { runs } = await biographyOf('amqp', event.event_id)
    expect(runs[0]?.error).toMatchObject({
      code: 'SB_INVALID_INPUT',
      message: expect.stringContaining('not one that callbacks may publish to') as string,
    })
  })
})

describe('a bad endpoint', () => {
  it('that hangs holds up nobody: neither other listeners nor other accounts', async () => {
    const held: string[] = []
    await using hanging = await openEndpoint((request) => void held.push(eventIdOf(request)))
    await using quick = await openEndpoint()
    await putListener(store, 'crowd', 'hanging', {
      callback: { type: 'http', url: hanging.url, timeout_ms: 60_000 },
      eventTypes: ['many'],
      retry: { max_attempts: 1 },
    })
    await putListener(store, 'crowd', 'sound', {
      callback: { type: 'http', url: quick.url },
      eventTypes: ['one'],
    })
    await putListener(store, 'calm', 'sound', {
      callback: { type: 'http', url: quick.url },
      eventTypes: ['one'],
    })
    const many = Array.from({ length: 1_000 }, () => publish('crowd', 'many'))
    await Promise.all(many)
    await until('the endpoint to be as full as it may be', () => held.length >= 16)
    const sound = [await publish('crowd', 'one'), await publish('calm', 'one')]
    await until('the others to be told', () => quick.requests.length === 2)
    for (const event of sound) {
      expect((await biographyOf(event.account_key, event.event_id)).outcome).toBe('succeeded')
    }
    // n.b. none of those that hang has ended: the others did not wait for them.
    expect(held).toHaveLength(16)
    await setListenerState(store, 'crowd', 'hanging', 'disabled')
  })
})

describe('the callbacks process', () => {
  it('killed under load, again and again, loses no event and repeats under the same id', async () => {
    const slowly = (
      _request: ReceivedRequest,
      response: { writeHead(code: number): { end(): void } },
    ) => void setTimeout(() => response.writeHead(204).end(), 20)
    await using endpoint = await openEndpoint(slowly)
    await putListener(store, 'kill', 'hook', {
      callback: { type: 'http', url: endpoint.url },
      eventTypes: ['counted'],
    })
    let process = await startCallbacks()
    const ids: string[] = []
    for (let round = 0; round < 2; round += 1) {
      const events = Array.from({ length: 200 }, () => publish('kill', 'counted'))
      ids.push(...(await Promise.all(events)).map(({ event_id }) => event_id))
      const before = endpoint.requests.length
      await until('some of them to be under way', () => endpoint.requests.length > before)
      process.kill('SIGKILL')
      await process.exited
      process = await startCallbacks()
    }
    await using _last = process
    const arrived = () => new Set(endpoint.requests.map(eventIdOf))
    await until('every event to be delivered', () => arrived().size === ids.length, 30_000)
    const idsOf = Map.groupBy(endpoint.requests, eventIdOf)
    for (const [eventId, requests] of idsOf) {
      expect(new Set(requests.map(({ headers }) => headers['webhook-id'])).size, eventId).toBe(1)
    }
  })
})

interface TheirMessage {
  body: string
  messageId: string
  type: string
}

/** An exchange of an account's own, with a queue behind it that takes what events are routed by. */
async function openTheirs() {
  const exchange = uuidv7()
  await broker.declare({
    name: exchange,
    exchanges: [{ name: exchange, type: 'topic' }],
    bindings: [{ exchange, routingKey: '#.amqp' }],
    singleActiveConsumer: false,
  })
  const messages: TheirMessage[] = []
  const consumer = await broker.consume(exchange, {}, async ({ body, properties }) => {
    const { messageId = '', type = '' } = properties
    messages.push({ body: body.toString(), messageId, type })
    return { kind: 'ack' }
  })
  return {
    exchange,
    next: () => waitFor(async () => messages.shift(), { what: 'a message at their queue' }),
    [Symbol.asyncDispose]: () => consumer.close(),
  }
}

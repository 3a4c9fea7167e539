/**
 * A stock Mistral as the source, an application as the target: notifications go in as Mistral posts them, and come out signed, over HTTP and AMQP,
 * at the listeners that are for them. Every service is a process; one of the two that deliver is killed meanwhile.
 */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MISTRAL_EVENT_GROUPS, MISTRAL_EVENT_TYPES, MISTRAL_ON_EVENTS } from '@signalbox/contracts'
import { leaseRabbitMq, leaseRedis, type RedisLease, waitFor } from '@signalbox/testkit'
import amqp from 'amqplib'
import { Redis } from 'ioredis'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { request, type System, startSystem } from './system.ts'

interface Received {
  listenerId: string
  headers: Record<string, string>
  body: string
}

/** By the end of a listener_id: what it listens to, and the types of event that it is to be told of. */
const FILTERS: Record<string, { selector: object; types: readonly string[] }> = {
  executions: { selector: { event_types: ['EXECUTION'] }, types: MISTRAL_EVENT_GROUPS.EXECUTION },
  tasks: { selector: { event_types: ['TASK'] }, types: MISTRAL_EVENT_GROUPS.TASK },
  done: {
    selector: { events: ['on-task-complete'] },
    types: MISTRAL_ON_EVENTS['on-task-complete'],
  },
}
const EXCHANGE = 'their-events'
/** Some notifications are delivered, some are under way, and some are not posted yet. */
const KILLED_AT = 5
const SECRET_HEADER = 'what the shop knows us by'

const stack = new AsyncDisposableStack()
const received: Received[] = []
const secrets = new Map<string, string>()
let system: System
let lease: RedisLease

beforeAll(async () => {
  const { amqpUrl } = stack.use(await leaseRabbitMq())
  lease = stack.use(await leaseRedis())
  const { redisUrl, namespace } = lease
  const env = { SIGNALBOX_CALLBACK_ALLOW: '127.0.0.0/8', SIGNALBOX_CALLBACK_ALLOW_HTTP: 'true' }
  system = stack.use(await startSystem({ amqpUrl, redisUrl, namespace, callbacks: 2, env }))
  const hook = await listenOverHttp()
  const http = { type: 'http', secret_headers: { 'x-shop': SECRET_HEADER } }
  await listenOverAmqp(amqpUrl)
  for (const [name, { selector }] of Object.entries(FILTERS)) {
    await addListener(`http-${name}`, {
      ...selector,
      callback: { ...http, url: `${hook}/http-${name}` },
    })
    const callback = { type: 'amqp', exchange: EXCHANGE, routing_key: `amqp-${name}` }
    await addListener(`amqp-${name}`, { ...selector, callback })
  }
})
afterAll(() => stack.disposeAsync())

it('a notification of each name reaches the listeners over HTTP and AMQP that are for it, signed, though a process that delivers is killed', async () => {
  for (const [index, event] of MISTRAL_EVENT_TYPES.entries()) {
    const { status } = await postAsMistral(notificationOf(event))
    expect(status, event).toBe(201)
    if (index === KILLED_AT) system.callbacks[0]?.process.kill('SIGKILL')
  }
  const expected = Object.entries(FILTERS)
    .flatMap(([name, { types }]) =>
      types.flatMap((type) => [`http-${name} ${type}`, `amqp-${name} ${type}`]),
    )
    .toSorted()
  // n.b. what was under way when its process was killed may come twice.
  const arrived = () => [...new Set(received.map(described))].toSorted()
  await waitFor(() => arrived().length >= expected.length, {
    what: 'every listener to be told',
    timeoutMs: 60_000,
  })
  expect(arrived()).toEqual(expected)

  for (const one of received) {
    const webhook = new Webhook(secrets.get(one.listenerId)!)
    expect(webhook.verify(one.body, one.headers), one.listenerId).toBeTruthy()
    expect(() => webhook.verify(`${one.body} `, one.headers)).toThrow()
  }
  for (const [what, times] of Map.groupBy(received, described)) {
    expect(new Set(times.map(({ headers }) => headers['webhook-id'])).size, what).toBe(1)
  }
})

it('leaves no secret in clear in Redis', async () => {
  const told = received.find(({ listenerId }) => listenerId === 'http-done')
  expect(told?.headers['x-shop']).toBe(SECRET_HEADER)
  const kept = await contentsOf(lease)
  expect(kept).toContain(EXCHANGE)
  expect(kept).toContain('/http-done')
  for (const secret of [SECRET_HEADER, ...secrets.values()]) {
    expect(kept).not.toContain(secret.replace('whsec_', ''))
  }
})

const described = ({ listenerId, body }: Received) =>
  `${listenerId} ${(JSON.parse(body) as { event_type: string }).event_type}`

/** As Mistral's notifier makes it of an execution or of a task. Source: `mistral/notifiers` */
function notificationOf(event: string) {
  const isTask = event.startsWith('TASK_')
  return {
    id: `id-of-${event}`,
    name: isTask ? 'send_invoice' : 'billing.monthly',
    workflow_name: 'billing.monthly',
    workflow_namespace: '',
    workflow_id: 'workflow',
    ...(isTask ? { workflow_execution_id: 'execution', type: 'ACTION' } : {}),
    state: 'RUNNING',
    state_info: null,
    project_id: 'demo',
    created_at: '2026-01-31 09:30:00',
    updated_at: '2026-01-31 09:30:02',
    event,
  }
}

const postAsMistral = (notification: object) =>
  request('POST', `${system.api.url}/v1/accounts/demo/sources/mistral`, notification)

async function addListener(listener_id: string, listener: object): Promise<void> {
  const url = `${system.api.url}/v1/accounts/demo/listeners`
  const added = await request<{ secret: string }>('POST', url, { listener_id, ...listener })
  expect(added.status, JSON.stringify(added.body)).toBe(201)
  secrets.set(listener_id, added.body.secret)
}

/** Answers 204; the path is the listener's id. */
async function listenOverHttp(): Promise<string> {
  const server = createServer((incoming, answer) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      const headers = textsOf(incoming.headers)
      const listenerId = new URL(incoming.url ?? '/', 'http://here').pathname.slice(1)
      received.push({ listenerId, headers, body: String(Buffer.concat(parts)) })
      answer.writeHead(204).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stack.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function listenOverAmqp(amqpUrl: string): Promise<void> {
  const connection = await amqp.connect(amqpUrl)
  stack.defer(() => connection.close())
  const channel = await connection.createChannel()
  await channel.assertExchange(EXCHANGE, 'topic', { durable: true })
  const { queue } = await channel.assertQueue('', { exclusive: true })
  await channel.bindQueue(queue, EXCHANGE, '#')
  await channel.consume(
    queue,
    (message) => {
      if (!message) return
      const headers = textsOf(message.properties.headers ?? {})
      received.push({
        listenerId: message.fields.routingKey,
        headers,
        body: String(message.content),
      })
    },
    { noAck: true },
  )
}

function textsOf(headers: IncomingHttpHeaders | Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}

/** Every key of the lease with what it holds. */
async function contentsOf({ redisUrl, namespace }: RedisLease): Promise<string> {
  const redis = new Redis(redisUrl)
  const read: Record<string, (key: string) => Promise<unknown>> = {
    string: (key) => redis.get(key),
    hash: (key) => redis.hgetall(key),
    list: (key) => redis.lrange(key, 0, -1),
    set: (key) => redis.smembers(key),
    zset: (key) => redis.zrange(key, '0', '-1'),
    stream: (key) => redis.xrange(key, '-', '+'),
  }
  try {
    const contents: unknown[] = []
    for await (const keys of redis.scanStream({ match: `*${namespace}*`, count: 1_000 })) {
      for (const key of keys as string[]) {
        contents.push(key, await read[await redis.type(key)]?.(key))
      }
    }
    return JSON.stringify(contents)
  } finally {
    redis.disconnect()
  }
}

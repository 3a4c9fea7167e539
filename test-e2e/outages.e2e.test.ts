/**
 * Brokers that are there and do not do their work: docs/operations.md, "Outages", says of each what happens. Every test runs in the
 * middle of a load, all of whose confirmed events are handled in the end.
 */
import {
  createManagementApi,
  type ManagementApi,
  type PrivateRabbitMq,
  type PrivateRedis,
  startPrivateRabbitMq,
  startPrivateRedis,
  waitFor,
} from '@signalbox/testkit'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { observe } from './observer.ts'
import { type Bed, loadEvent, notReady, putLoadChain, throughAnOutage } from './outage.ts'
import { type SlowProxy, startSlowProxy } from './slow-proxy.ts'
import { type Instance, request, type System, startSystem } from './system.ts'

const NAMESPACE = 'outages'
const USER = 'signalbox'
const PASSWORD = 'the-first-password'

const stack = new AsyncDisposableStack()
let rabbitmq: PrivateRabbitMq
let management: ManagementApi
let redis: PrivateRedis
let admin: Redis
let redisProxy: SlowProxy
let system: System
let bed: Bed

beforeAll(async () => {
  ;[rabbitmq, redis] = await Promise.all([startPrivateRabbitMq(), startPrivateRedis()])
  stack.use(rabbitmq)
  stack.use(redis)
  management = createManagementApi(rabbitmq.managementUrl)
  await setPassword(PASSWORD)
  // What docs/operations.md says that the user needs, and no more.
  const names = `^(${NAMESPACE}\\..*|amq\\.default)$`
  const permissions = { configure: names, write: names, read: names }
  await management.put(`/permissions/%2F/${USER}`, permissions)
  redisProxy = stack.use(await startSlowProxy(redis.redisUrl))
  admin = new Redis(redis.redisUrl)
  stack.defer(() => admin.disconnect())
  const amqpUrl = new URL(rabbitmq.amqpUrl)
  amqpUrl.username = USER
  amqpUrl.password = PASSWORD
  system = stack.use(
    await startSystem({
      amqpUrl: amqpUrl.href,
      redisUrl: redisProxy.url,
      namespace: NAMESPACE,
      env: { DRAIN_TIMEOUT_MS: '15000', PUBLISH_TIMEOUT_MS: '1000' },
    }),
  )
  await putLoadChain(system)
  await request('PUT', `${system.survey.url}/v1/polls/short`, {
    poll_key: 'short',
    title: 'A short poll',
    questions: [{ id: 'name', type: 'text', text: 'What may we call you?', max_length: 60 }],
  })
  bed = { system, amqpUrl: rabbitmq.amqpUrl, namespace: NAMESPACE }
})
afterAll(() => stack.disposeAsync())

const setPassword = (password: string) => management.put(`/users/${USER}`, { password, tags: '' })
const closeConnections = () => management.delete(`/connections/username/${USER}`)
const api = (path: string) => `${system.api.url}/v1/accounts/demo${path}`
const publish = (eventId: string) => request('POST', api('/events'), loadEvent(eventId))
const beginSession = (person: string) =>
  request('POST', `${system.survey.url}/v1/polls/short/sessions`, { person_key: person })
const workers = (): Instance[] => [...system.dispatchers, ...system.handlers]

describe('while RabbitMQ', () => {
  it('refuses new connections, polls go on, events are answered 503, and people stay subscribed', async () => {
    const socket = await observe(system, 'demo').subscribed(system.edges[0]!.url, 'p1', 'flow', 1)
    await throughAnOutage(bed, {
      name: 'refused',
      async begin() {
        await management.put('/vhost-limits/%2F/max-connections', { value: 0 })
        await closeConnections()
      },
      async meanwhile() {
        await notReady(system.all, /"rabbitmq":"[^"]* is not connected/)
        expect((await beginSession('refused')).status).toBe(201)
        expect((await request('GET', api('/chains'))).status).toBe(200)
        const answer = await publish('refused-over-http')
        expect(answer).toMatchObject({ status: 503, body: { code: 'SB_BROKER_UNAVAILABLE' } })
      },
      end: () => management.delete('/vhost-limits/%2F/max-connections'),
    })
    socket.send({
      action: 'subscribe_state_change',
      request_id: 2,
      data: { person_key: 'p1', entity: 'flow' },
    })
    expect(await socket.next()).toContain('"request_id":2')
    await socket[Symbol.asyncDispose]()
  })

  it('does not take the password any more, everybody says so without showing it', async () => {
    await throughAnOutage(bed, {
      name: 'password',
      async begin() {
        await setPassword('another')
        await closeConnections()
      },
      meanwhile: () => notReady(system.all, /ACCESS_REFUSED/),
      end: () => setPassword(PASSWORD),
    })
    for (const { process } of system.all) expect(process.output()).not.toContain(PASSWORD)
  })

  it('blocks publishers because it is out of memory, who publishes says so and waits', async () => {
    await throughAnOutage(bed, {
      name: 'blocked',
      begin: () => rabbitmq.control('set_vm_memory_high_watermark', '0.00001'),
      async meanwhile() {
        const answer = await publish('blocked-over-http')
        expect(answer).toMatchObject({ status: 503, body: { code: 'SB_BROKER_UNAVAILABLE' } })
        await notReady([system.api], /blocks publishers: low on memory/)
      },
      end: () => rabbitmq.control('set_vm_memory_high_watermark', '0.6'),
    })
  })

  it('has lost an exchange and its bindings, both come back and no step is lost', async () => {
    await throughAnOutage(bed, {
      name: 'unbound',
      begin: () => management.delete(`/exchanges/%2F/${NAMESPACE}.handlers`),
      end: async () => undefined,
    })
  })

  it('has lost a queue, it is declared and consumed again', async () => {
    await management.delete(`/queues/%2F/${NAMESPACE}.dispatcher.events`)
    await system.ready(5_000)
    await waitFor(
      async () => {
        const { status, body } = await request('GET', api('/events/after-the-queue'))
        if (status === 404) await publish('after-the-queue')
        return body.outcome === 'succeeded'
      },
      { what: 'an event to be handled', timeoutMs: 5_000, intervalMs: 100 },
    )
  })
})

describe('while Redis', () => {
  it.each([
    {
      name: 'memory',
      what: 'is out of memory',
      says: /"redis":"[^"]*OOM/,
      begin: () => admin.config('SET', 'maxmemory', '1'),
      end: () => admin.config('SET', 'maxmemory', '0'),
    },
    {
      name: 'replica',
      what: 'is a replica that cannot be written to',
      says: /"redis":"[^"]*READONLY/,
      begin: () => admin.replicaof('127.0.0.1', '1'),
      end: () => admin.replicaof('NO', 'ONE'),
    },
  ])('$what, who writes says so, events are taken and wait', async ({ name, says, begin, end }) => {
    await throughAnOutage(bed, {
      name,
      begin,
      async meanwhile() {
        expect((await publish(`${name}-over-http`)).status).toBe(202)
        expect((await beginSession(name)).status).toBe(503)
        expect((await request('GET', api('/chains'))).status).toBe(200)
        await notReady([...workers(), system.survey], says)
      },
      end,
    })
  })

  it('answers slowly, but within its time, everything goes on', async () => {
    await throughAnOutage(bed, {
      name: 'slow',
      async begin() {
        redisProxy.delayMs = 200
      },
      async meanwhile() {
        for (let count = 0; count < 5; count++) {
          expect((await request('GET', api('/chains'))).status).toBe(200)
        }
      },
      async end() {
        redisProxy.delayMs = 0
      },
    })
  })

  it('answers too late, it counts as away', async () => {
    await throughAnOutage(bed, {
      name: 'late',
      async begin() {
        redisProxy.delayMs = 3_000
      },
      async meanwhile() {
        await notReady(system.all, /"redis":/)
        const answer = await request('GET', api('/chains'))
        expect(answer).toMatchObject({ status: 503, body: { code: 'SB_STORE_UNAVAILABLE' } })
      },
      async end() {
        redisProxy.delayMs = 0
      },
    })
  })

  it('drops every connection and forgets its scripts, nobody outside notices', async () => {
    await throughAnOutage(bed, {
      name: 'dropped',
      begin: () => admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
      meanwhile: () => admin.script('FLUSH'),
      end: async () => undefined,
    })
  })

  it('is empty, nothing matches, keys are refused, and what is saved again holds at once', async () => {
    const scopes = ['read', 'manage', 'publish']
    const { body: key } = await request('POST', api('/keys'), { name: 'k', scopes })
    const asAccount = () =>
      request('GET', api('/chains'), undefined, {
        authorization: `Bearer ${String(key.credential)}`,
      })
    expect((await asAccount()).status).toBe(200)

    await admin.flushall()
    expect(await asAccount()).toMatchObject({ status: 401, body: { code: 'SB_UNAUTHENTICATED' } })
    expect((await request('GET', api('/chains'))).body).toMatchObject({ items: [] })
    await publish('without-a-chain')
    await observe(system, 'demo').biography('without-a-chain', 'unmatched')
    await putLoadChain(system)
    await publish('with-a-chain')
    await observe(system, 'demo').biography('with-a-chain', 'succeeded')
  })
})

describe('a process that is told to end', () => {
  it('does so in time, with exit code 0, while RabbitMQ blocks publishers', async () => {
    await rabbitmq.control('set_vm_memory_high_watermark', '0.00001')
    await publish('never-confirmed')
    for (const instance of system.all) instance.process.kill('SIGTERM')
    expect(await Promise.all(system.all.map(({ process }) => process.exited))).toEqual(
      system.all.map(() => 'exit code 0'),
    )
  })
})

import { type Broker, createTopology, openAmqpBroker } from '@signalbox/broker'
import { silentLog } from '@signalbox/kit'
import { openRedisStore } from '@signalbox/store'
import {
  leaseRabbitMq,
  leaseRedis,
  openSocket,
  type PrivateRedis,
  type RabbitMqLease,
  type RedisLease,
  startPrivateRedis,
  type TestSocket,
  waitFor,
} from '@signalbox/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ask,
  changeFrame,
  okFrame,
  publish,
  startEdge,
  stateChange,
  subscribeTo,
  tokenFor,
} from './edge-bed.ts'
import { startEdgeProcess } from './edge-process.ts'
import { startSeverableProxy } from './severable-proxy.ts'

let rabbitMq: RabbitMqLease
let redis: RedisLease
let source: Broker

beforeAll(async () => {
  rabbitMq = await leaseRabbitMq()
  redis = await leaseRedis()
  source = await openBroker('source')
})
afterAll(async () => {
  await source.close()
  await rabbitMq.release()
  await redis.release()
})

const openBroker = (connectionName: string) =>
  openAmqpBroker({
    url: rabbitMq.amqpUrl,
    topology: createTopology({ namespace: redis.namespace }),
    log: silentLog,
    connectionName,
  })

/** An edge with engines of its own, as a process has them. */
async function startOwnEdge(redisUrl = redis.redisUrl) {
  const broker = await openBroker('edge')
  const { namespace } = redis
  const store = openRedisStore({ url: redisUrl, namespace, log: silentLog })
  const edge = await startEdge({ broker, store })
  await waitFor(() => edge.readiness.report().ready, { what: 'the edge to be ready' })
  return {
    ...edge,
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]()
      await broker.close()
      await store.close()
    },
  }
}

const changes = (personKey: string, prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => stateChange(personKey, 'flow', `${prefix}${index}`))

/** Takes one frame per change and nothing in between. */
async function expectChanges(client: TestSocket, requestId: number, prefix: string, count: number) {
  for (let index = 0; index < count; index++) {
    expect(await client.next()).toBe(changeFrame(requestId, 'flow', `${prefix}${index}`))
  }
}

describe('two edges on RabbitMQ and Redis', () => {
  it('show each subscriber of either each change once and in order', async () => {
    await using one = await startOwnEdge()
    await using two = await startOwnEdge()
    await using first = await one.connect({ personKey: 'p1' })
    await using second = await two.connect({ personKey: 'p1' })
    await using account = await two.connect()
    expect(await ask(first, subscribeTo('p1', 'flow', 1))).toBe(okFrame(1))
    expect(await ask(second, subscribeTo('p1', 'flow', 2))).toBe(okFrame(2))
    expect(await ask(account, subscribeTo('p2', 'flow', 3))).toBe(okFrame(3))

    await Promise.all([
      publish(source, ...changes('p1', 'a', 60)),
      publish(source, ...changes('p2', 'b', 60)),
    ])
    await expectChanges(first, 1, 'a', 60)
    await expectChanges(second, 2, 'a', 60)
    await expectChanges(account, 3, 'b', 60)
    await publish(source, stateChange('p1', 'flow', 'end'), stateChange('p2', 'flow', 'end'))
    expect(await first.next()).toBe(changeFrame(1, 'flow', 'end'))
    expect(await second.next()).toBe(changeFrame(2, 'flow', 'end'))
    expect(await account.next()).toBe(changeFrame(3, 'flow', 'end'))
  })

  it('go on, each change once and in order, when the relaying one is killed', async () => {
    await using active = await startEdgeProcess(rabbitMq, redis)
    await using standby = await startEdgeProcess(rabbitMq, redis)
    await using client = await openSocket(`${standby.origin.replace('http', 'ws')}/v1/socket`, {
      protocols: ['signalbox.v1', `bearer.${await tokenFor({ personKey: 'p3' })}`],
    })
    await ask(client, subscribeTo('p3', 'flow', 1))
    await publish(source, ...changes('p3', 'a', 20))
    await expectChanges(client, 1, 'a', 20)
    expect(await active.relayed()).toBe(20)

    const publishing = publish(source, ...changes('p3', 'b', 120))
    active.edge.kill('SIGKILL')
    await publishing
    await expectChanges(client, 1, 'b', 120)
    await publish(source, stateChange('p3', 'flow', 'end'))
    expect(await client.next()).toBe(changeFrame(1, 'flow', 'end'))
  })
})

describe('an edge that is cut off from Redis while another relays', () => {
  it('reads from the log what was appended meanwhile, and then goes on live', async () => {
    await using proxy = await startSeverableProxy(redis.redisUrl)
    await using relaying = await startOwnEdge()
    await using cutOff = await startOwnEdge(proxy.url)
    await using neighbour = await relaying.connect()
    await using client = await cutOff.connect()
    await ask(neighbour, subscribeTo('p6', 'flow', 1))
    await ask(client, subscribeTo('p6', 'flow', 2))

    proxy.sever()
    await publish(source, ...changes('p6', 'unseen-', 50))
    await expectChanges(neighbour, 1, 'unseen-', 50)
    expect(client.pending).toEqual([])
    proxy.mend()
    await expectChanges(client, 2, 'unseen-', 50)

    await publish(source, ...changes('p6', 'live-', 5))
    await expectChanges(client, 2, 'live-', 5)
  })
})

describe('an edge whose Redis dies', () => {
  let ownRedis: PrivateRedis
  beforeAll(async () => {
    ownRedis = await startPrivateRedis()
  })
  afterAll(() => ownRedis[Symbol.asyncDispose]())

  it('says so, refuses new subscriptions, and shows every change once and in order when Redis is back', async () => {
    await using edge = await startOwnEdge(ownRedis.redisUrl)
    await using client = await edge.connect()
    expect(await ask(client, subscribeTo('p4', 'flow', 1))).toBe(okFrame(1))
    await publish(source, ...changes('p4', 'before-', 5))
    await expectChanges(client, 1, 'before-', 5)
    await ownRedis.kill()
    await publish(source, ...changes('p4', 'during-', 50))
    await waitFor(() => edge.readiness.report().reasons.relay, { what: 'the relay to hold' })
    expect(JSON.parse(await ask(client, subscribeTo('p5', 'flow', 9)))).toMatchObject({
      status: 503,
      errors: [{ code: 'SB_STORE_UNAVAILABLE' }],
    })
    await ownRedis.start()
    await expectChanges(client, 1, 'during-', 50)
    await waitFor(() => edge.readiness.report().ready, { what: 'the edge to be ready again' })
    await publish(source, stateChange('p4', 'flow', 'end'))
    expect(await client.next()).toBe(changeFrame(1, 'flow', 'end'))
  })
})

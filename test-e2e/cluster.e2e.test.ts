/** A RabbitMQ of three nodes behind one address: one dies in the middle of a load, then another. The tests build on one another. */
import {
  createManagementApi,
  leaseRedis,
  type PrivateRabbitMq,
  type PrivateRabbitMqCluster,
  startPrivateRabbitMqCluster,
  waitFor,
} from '@signalbox/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Bed, loadEvent, putLoadChain, throughAnOutage } from './outage.ts'
import { request, startSystem } from './system.ts'

const SIZE = 3
const FORMING_MS = 180_000

const stack = new AsyncDisposableStack()
let cluster: PrivateRabbitMqCluster
let bed: Bed
/** From the first test on. */
let dead: PrivateRabbitMq

beforeAll(async () => {
  cluster = stack.use(await startPrivateRabbitMqCluster(SIZE))
  const redis = await leaseRedis()
  stack.defer(() => redis.release())
  const { amqpUrl } = cluster
  const { redisUrl, namespace } = redis
  const env = { PUBLISH_TIMEOUT_MS: '2000' }
  const brokers = { amqpUrl, redisUrl, namespace }
  const system = stack.use(await startSystem({ ...brokers, dispatchers: 2, env }))
  await putLoadChain(system)
  bed = { system, amqpUrl, namespace }
}, FORMING_MS)
afterAll(() => stack.disposeAsync())

it('loses nothing that was confirmed when a node dies, and who was connected to it or published to it goes on', async () => {
  const [first, second] = cluster.nodes as [PrivateRabbitMq, PrivateRabbitMq]
  const online = await replicasOnline(second)
  expect(online).toEqual(online.map(() => SIZE))
  dead = await leaderOf('dispatcher.events', first)
  await throughAnOutage(bed, {
    name: 'node',
    begin: () => dead.kill(),
    end: async () => undefined,
  })
})

it('takes no event without a majority of its nodes, and goes on when it has one again', async () => {
  const [alive, another] = cluster.nodes.filter((node) => node !== dead) as [
    PrivateRabbitMq,
    PrivateRabbitMq,
  ]
  await throughAnOutage(bed, {
    name: 'majority',
    begin: () => another.kill(),
    async meanwhile() {
      const { url } = bed.system.api
      const event = loadEvent('without-a-majority')
      const answer = await request('POST', `${url}/v1/accounts/demo/events`, event)
      expect(answer).toMatchObject({ status: 503, body: { code: 'SB_BROKER_UNAVAILABLE' } })
    },
    end: () => Promise.all([dead.start(), another.start()]),
  })
  await waitFor(async () => (await replicasOnline(alive)).every((replicas) => replicas === SIZE), {
    what: 'the nodes to take up their replicas',
    timeoutMs: 60_000,
    intervalMs: 250,
  })
})

/** The node that leads this queue of ours, as `asked` sees it. */
async function leaderOf(queue: string, asked: PrivateRabbitMq): Promise<PrivateRabbitMq> {
  const management = createManagementApi(asked.managementUrl)
  const answer = await management.get(`/queues/%2F/${bed.namespace}.${queue}`)
  const { leader } = answer as { leader: string }
  return cluster.nodes.find(({ name }) => name === leader) ?? expect.fail(`who is ${leader}?`)
}

/** For each of our queues, how many of its replicas are running. */
async function replicasOnline({ managementUrl }: PrivateRabbitMq): Promise<number[]> {
  const queues = (await createManagementApi(managementUrl).get('/queues/%2F')) as {
    name: string
    online?: string[]
  }[]
  return queues
    .filter(({ name }) => name.startsWith(bed.namespace))
    .map(({ online }) => online?.length ?? 0)
}

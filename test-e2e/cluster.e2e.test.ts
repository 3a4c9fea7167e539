/** A RabbitMQ of three nodes behind one address, one of which dies in the middle of a load. */
import {
  createManagementApi,
  leaseRedis,
  type PrivateRabbitMqCluster,
  startPrivateRabbitMqCluster,
  waitFor,
} from '@signalbox/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Bed, notReady, putLoadChain, throughAnOutage } from './outage.ts'
import { startSystem } from './system.ts'

const SIZE = 3
const FORMING_MS = 180_000

const stack = new AsyncDisposableStack()
let cluster: PrivateRabbitMqCluster
let bed: Bed

beforeAll(async () => {
  cluster = stack.use(await startPrivateRabbitMqCluster(SIZE))
  const redis = await leaseRedis()
  stack.defer(() => redis.release())
  const { amqpUrl } = cluster
  const { redisUrl, namespace } = redis
  const system = stack.use(await startSystem({ amqpUrl, redisUrl, namespace, dispatchers: 2 }))
  await putLoadChain(system)
  bed = { system, amqpUrl, namespace }
}, FORMING_MS)
afterAll(() => stack.disposeAsync())

it('loses nothing that was confirmed when a node dies, and who was connected to it connects to another', async () => {
  const [first, second] = cluster.nodes as [(typeof cluster.nodes)[0], (typeof cluster.nodes)[0]]
  const online = await replicasOnline(second.managementUrl)
  expect(online).toEqual(online.map(() => SIZE))

  await throughAnOutage(bed, {
    name: 'node',
    begin: () => first.kill(),
    end: async () => undefined,
  })

  await first.start()
  await waitFor(
    async () => (await replicasOnline(second.managementUrl)).every((replicas) => replicas === SIZE),
    { what: 'the node to take up its replicas', timeoutMs: 60_000, intervalMs: 500 },
  )
})

it('takes no event without a majority of its nodes, and goes on when it has one again', async () => {
  const [first, second] = cluster.nodes as [(typeof cluster.nodes)[0], (typeof cluster.nodes)[0]]
  await throughAnOutage(bed, {
    name: 'majority',
    begin: () => Promise.all([first.kill(), second.kill()]),
    meanwhile: () => notReady([bed.system.api], /"rabbitmq":/),
    end: () => Promise.all([first.start(), second.start()]),
  })
})

/** For each of our queues, how many of its replicas are running. */
async function replicasOnline(managementUrl: string): Promise<number[]> {
  const queues = (await createManagementApi(managementUrl).get('/queues/%2F')) as {
    name: string
    online?: string[]
  }[]
  return queues
    .filter(({ name }) => name.startsWith(bed.namespace))
    .map(({ online }) => online?.length ?? 0)
}

/** An edge that dies, and a thousand clients that all come back at once. */
import { type Broker, createPublisher, createTopology, openAmqpBroker } from '@signalbox/broker'
import { completeEvent } from '@signalbox/contracts'
import { silentLog } from '@signalbox/kit'
import {
  leaseRabbitMq,
  leaseRedis,
  openReturningClient,
  type RabbitMqLease,
  type RedisLease,
  type ReturningClient,
  waitFor,
} from '@signalbox/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { stateChange, tokenFor } from './edge-bed.ts'
import { startEdgeProcess } from './edge-process.ts'

const CLIENTS = 1_000
/** A burst of 300 is let in at once, so the rest have to be told to come later. */
const ACCEPTS_PER_SECOND = 150
const STORM_TIMEOUT_MS = 45_000

let rabbitMq: RabbitMqLease
let redis: RedisLease
let source: Broker

beforeAll(async () => {
  rabbitMq = await leaseRabbitMq()
  redis = await leaseRedis()
  source = await openAmqpBroker({
    url: rabbitMq.amqpUrl,
    topology: createTopology({ namespace: redis.namespace }),
    log: silentLog,
    connectionName: 'source',
  })
})
afterAll(async () => {
  await source.close()
  await rabbitMq.release()
  await redis.release()
})

const startEdge = (acceptsPerSecond: number) =>
  startEdgeProcess(rabbitMq, redis, {
    SIGNALBOX_EDGE_ACCEPTS_PER_SECOND: String(acceptsPerSecond),
    SIGNALBOX_EDGE_MAX_CONNECTIONS_PER_ADDRESS: String(2 * CLIENTS),
  })

async function changeEverybody(id: string): Promise<void> {
  const publisher = createPublisher(source)
  const people = Array.from({ length: CLIENTS }, (_, index) => `p${index}`)
  await Promise.all(
    people.map((person) => publisher.event(completeEvent(stateChange(person, 'flow', id)))),
  )
}

async function everybodyHas(clients: readonly ReturningClient[], ids: string[]): Promise<void> {
  await waitFor(() => clients.every((client) => client.ids.length >= ids.length), {
    what: `everybody to have ${ids.join(', ')}`,
    timeoutMs: STORM_TIMEOUT_MS,
  })
  expect(clients.filter((client) => client.ids.join() !== ids.join())).toEqual([])
}

it('lets everybody back in at its pace, and nobody misses anything or gets it twice', async () => {
  const first = await startEdge(0)
  await using _first = first
  let origin = first.origin
  await using stack = new AsyncDisposableStack()
  const clients: ReturningClient[] = []
  for (let index = 0; index < CLIENTS; index++) {
    const personKey = `p${index}`
    const token = await tokenFor({ personKey }, 600)
    const url = () => `${origin.replace('http', 'ws')}/v1/socket`
    clients.push(stack.use(openReturningClient({ url, token, personKey })))
  }
  await waitFor(() => clients.every(({ isLive }) => isLive), {
    what: 'everybody to be subscribed',
    timeoutMs: STORM_TIMEOUT_MS,
  })
  await changeEverybody('before')
  await everybodyHas(clients, ['before'])

  first.edge.kill('SIGKILL')
  await first.edge.exited
  await changeEverybody('meanwhile')
  await using second = await startEdge(ACCEPTS_PER_SECOND)
  origin = second.origin
  await everybodyHas(clients, ['before', 'meanwhile'])
  await waitFor(() => clients.every(({ isLive }) => isLive), { what: 'everybody to be back' })
  await changeEverybody('after')
  await everybodyHas(clients, ['before', 'meanwhile', 'after'])

  expect(clients.filter(({ resumes }) => resumes.recovered === 0 || resumes.lost > 0)).toEqual([])
  const refused = clients.filter(({ refusals }) => refusals.has(503))
  expect(refused.length).toBeGreaterThan(0)
  expect(clients.flatMap(({ refusals }) => [...refusals.keys()]).every((s) => s === 503)).toBe(true)
}, 120_000)

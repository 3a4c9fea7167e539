import { once } from 'node:events'
import { connect } from 'node:net'
import { createTopology, openAmqpBroker } from '@signalbox/broker'
import { silentLog } from '@signalbox/kit'
import { openRedisStore } from '@signalbox/store'
import {
  leaseRabbitMq,
  type PrivateRedis,
  type RabbitMqLease,
  startPrivateRedis,
  type TestSocket,
  waitFor,
} from '@signalbox/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, publish, startEdge, stateChange } from './edge-bed.ts'

const NAMESPACE = 'resume'

let rabbitMq: RabbitMqLease
let redis: PrivateRedis

beforeAll(async () => {
  rabbitMq = await leaseRabbitMq()
  redis = await startPrivateRedis()
})
afterAll(async () => {
  await redis[Symbol.asyncDispose]()
  await rabbitMq.release()
})

/** An edge with engines of its own, as a process has them. */
async function startOwnEdge() {
  const topology = createTopology({ namespace: NAMESPACE })
  const broker = await openAmqpBroker({
    url: rabbitMq.amqpUrl,
    topology,
    log: silentLog,
    connectionName: 'edge',
  })
  const store = openRedisStore({ url: redis.redisUrl, namespace: NAMESPACE, log: silentLog })
  const edge = await startEdge({ broker, store })
  const ready = () =>
    waitFor(() => edge.readiness.report().ready, {
      what: 'the edge to be ready',
      timeoutMs: 10_000,
    })
  await ready()
  return {
    ...edge,
    ready,
    publish: (...ids: string[]) =>
      publish(broker, ...ids.map((id) => stateChange('p1', 'flow', id))),
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]()
      await broker.close()
      await store.close()
    },
  }
}

async function flushRedis(): Promise<void> {
  const socket = connect(Number(new URL(redis.redisUrl).port), '127.0.0.1')
  socket.write('FLUSHALL\r\n')
  const [reply] = (await once(socket, 'data')) as [Buffer]
  expect(reply.toString()).toBe('+OK\r\n')
  socket.destroy()
}

interface Frame {
  cursor: string
  recovered?: boolean
  snapshot?: { id: string; state: string }[]
  event?: string
  data: { id: string }
}
const subscribe = async (client: TestSocket, wish: object): Promise<Frame> =>
  JSON.parse(
    await ask(client, {
      action: 'subscribe_state_change',
      request_id: 1,
      data: { person_key: 'p1', entity: 'flow', ...wish },
    }),
  ) as Frame
const next = async (client: TestSocket) => JSON.parse(await client.next()) as Frame

describe('a client that comes back', () => {
  it('is shown what it missed, at another edge, after Redis was killed and is back', async () => {
    await using first = await startOwnEdge()
    await using other = await startOwnEdge()
    let cursor: string
    {
      await using client = await first.connect({ personKey: 'p1' })
      await subscribe(client, { resume: true })
      await first.publish('a')
      ;({ cursor } = await next(client))
    }
    await first.publish('b', 'c')
    await using witness = await other.connect()
    const { snapshot } = await subscribe(witness, { snapshot: true })
    expect(snapshot?.map(({ id }) => id)).toContain('a')
    await redis.kill()
    await first.publish('d')
    await redis.start()
    await other.ready()

    await using client = await other.connect({ personKey: 'p1' })
    expect(await subscribe(client, { since: cursor })).toMatchObject({ recovered: true, cursor })
    for (const id of ['b', 'c', 'd']) expect((await next(client)).data.id).toBe(id)
    await first.publish('e')
    const last = await next(client)
    expect(last.data.id).toBe('e')
    expect(await subscribe(client, { resume: true })).toMatchObject({ cursor: last.cursor })
  })

  it('is told that something is missing, with what is current, when Redis came back empty', async () => {
    await using edge = await startOwnEdge()
    await using live = await edge.connect({ personKey: 'p1' })
    const { cursor } = await subscribe(live, { resume: true })
    await flushRedis()
    await edge.publish('after')
    const gap = await next(live)
    expect(gap).toMatchObject({ event: 'gap', data: { snapshot: [{ id: 'after' }] } })

    await using client = await edge.connect({ personKey: 'p1' })
    const answer = await subscribe(client, { since: cursor })
    expect(answer).toMatchObject({ recovered: false, snapshot: [{ id: 'after' }] })
    expect(answer.cursor).toBe(gap.cursor)
    await edge.publish('later')
    expect((await next(client)).data.id).toBe('later')
    expect((await next(live)).data.id).toBe('later')
  })
})

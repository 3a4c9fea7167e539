/**
 * Poison of ten sorts among good events, on RabbitMQ and Redis, through the dispatcher, a worker and the api: every good event is
 * handled, every piece of poison is listed by its cause, and one call replays those of a cause that was mended.
 */
import { type Broker, createPublisher, createTopology, openAmqpBroker } from '@signalbox/broker'
import {
  type Chain,
  chainSchema,
  completeEvent,
  type DeadLetterGroup,
  INSTALLATION_ACCOUNT,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { createMetrics, createReadiness, silentLog as log } from '@signalbox/kit'
import { createApi } from '@signalbox/service-api'
import { createDispatcher } from '@signalbox/service-dispatcher'
import { openRedisStore, type Store } from '@signalbox/store'
import { leaseRabbitMq, leaseRedis, waitFor } from '@signalbox/testkit'
import { consumeCommands, createWorker, defineHandler } from '@signalbox/worker'
import { expect, test } from 'vitest'
import { z } from 'zod'

const ACCOUNT = 'acme'
const GOOD = 2_000
/** Of each of the ten sorts: a tenth of the good ones in all. 1,000 among 10,000 take five times as long. */
const OF_EACH_SORT = 20
const WAIT_MS = 25_000

/** What each chain's one step asks of its handler; the event type that starts it is the chain's name. */
const CHAINS: Readonly<Record<string, object>> = {
  good: { handler: 'good' },
  unknown_handler: { handler: 'nobody_offers_this' },
  unknown_worker: { handler: 'commander', config: { worker: 'nobody', command: 'x' } },
  unknown_command: { handler: 'commander', config: { worker: 'survey', command: 'sing' } },
  bad_config: { handler: 'strict', config: { count: 'many' } },
  bad_result: { handler: 'mended_later' },
  crash: { handler: 'crashes' },
}

const eventOf = (event_type: string, fields: Partial<VumiApiEvent> = {}): VumiApiEvent =>
  completeEvent({
    account_key: ACCOUNT,
    conversation_key: 'spring',
    conversation_type: 'poll',
    event_type,
    event_data: {},
    ...fields,
  })

/** Messages that never become a run, as bytes. */
const UNREADABLE: readonly ((index: number) => Buffer)[] = [
  (index) => Buffer.from(`{"no": "json", ${index}`),
  (index) => Buffer.from(JSON.stringify({ account_key: ACCOUNT, event_id: `no-type-${index}` })),
  (index) =>
    Buffer.from(
      JSON.stringify(eventOf('good', { event_data: { index, fill: 'x'.repeat(270_000) } })),
    ),
]

test('poison harms nothing good, is listed by its cause, and a cause that was mended is replayed with one call', async () => {
  await using rabbitMq = await leaseRabbitMq()
  await using redis = await leaseRedis()
  await using store = openRedisStore({
    url: redis.redisUrl,
    namespace: redis.namespace,
    log,
    bounds: { maxBiographies: 2 * GOOD },
  })
  await using broker = await openAmqpBroker({
    url: rabbitMq.amqpUrl,
    topology: createTopology(),
    log,
    connectionName: 'dead-letters-test',
  })
  const handled = new Set<string>()
  let isMended = false
  await using _worker = await startWorker({ broker, store, handled, isMended: () => isMended })
  await using _commands = await consumeCommands(
    { workerName: 'survey', commands: { close: { handle: async () => undefined } } },
    { broker, log },
  )
  await refuseAll(broker, 'crashes')
  for (const [chainId, step] of Object.entries(CHAINS)) {
    await store.chains.put(ACCOUNT, chainId, chainOf(chainId, step))
  }
  const deps = { broker, store, log, readiness: createReadiness(), metrics: newMetrics() }
  await using _dispatcher = await createDispatcher({}, deps)
  await using api = createApi(
    { adminKey: 'admin', tokenSecret: 'x'.repeat(32), sealingKeys: 'ab'.repeat(32) },
    { ...deps, readiness: createReadiness(), metrics: newMetrics() },
  )

  const sent = await publishEverything(broker)
  await waitFor(() => handled.size === GOOD, {
    what: 'every good event to be handled',
    timeoutMs: WAIT_MS,
  })
  expect(sent.good.filter((eventId) => !handled.has(eventId))).toEqual([])

  const headers = { authorization: 'Bearer admin' }
  const groupsOf = async (account: string) => {
    const url = `/v1/accounts/${account}/dead-letters/groups`
    return (await api.app.inject({ url, headers })).json<{ items: DeadLetterGroup[] }>().items
  }
  const groups = await waitFor(
    async () => {
      const found = [...(await groupsOf(ACCOUNT)), ...(await groupsOf(INSTALLATION_ACCOUNT))]
      return found.reduce((sum, { count }) => sum + count, 0) >= 10 * OF_EACH_SORT && found
    },
    { what: 'all the poison to be listed', timeoutMs: WAIT_MS },
  )
  expect(Object.fromEntries(groups.map((group) => [causeOf(group), group.count]))).toEqual({
    // What is no JSON, and what names its account.
    SB_INVALID_MESSAGE: OF_EACH_SORT,
    SB_TOO_LARGE: OF_EACH_SORT,
    SB_HOP_LIMIT: OF_EACH_SORT,
    SB_UNKNOWN_COMMAND: OF_EACH_SORT,
    'SB_UNKNOWN_HANDLER nobody_offers_this unknown_handler': OF_EACH_SORT,
    'SB_UNKNOWN_WORKER unknown_worker': OF_EACH_SORT,
    'SB_HANDLER_CONFIG strict bad_config': OF_EACH_SORT,
    'SB_HANDLER_OUTPUT mended_later bad_result': OF_EACH_SORT,
    'SB_DELIVERY_LIMIT crashes crash': OF_EACH_SORT,
  })
  expect(groups.filter(({ code }) => code === 'SB_INVALID_MESSAGE')).toHaveLength(2)

  isMended = true
  const replay = async () => {
    const group = { code: 'SB_HANDLER_OUTPUT', handler: 'mended_later', chain_id: 'bad_result' }
    const url = `/v1/accounts/${ACCOUNT}/dead-letters/replay`
    const payload = { group, limit: 1_000 }
    return (await api.app.inject({ method: 'POST', url, headers, payload })).json()
  }
  expect(await replay()).toEqual({ replayed: OF_EACH_SORT, failed: 0, errors: [] })
  await waitFor(
    async () => {
      const found = await Promise.all(
        sent.badResult.map((eventId) => store.biographies.get(ACCOUNT, eventId)),
      )
      return found.every((biography) => biography?.outcome === 'succeeded')
    },
    { what: 'every replayed run to succeed', timeoutMs: WAIT_MS },
  )
  expect(await replay()).toEqual({ replayed: 0, failed: 0, errors: [] })
  const crashed = await store.biographies.get(ACCOUNT, sent.crash[0]!)
  expect(crashed).toMatchObject({ outcome: 'dead_lettered' })
}, 90_000)

function newMetrics() {
  return createMetrics({ withProcessMetrics: false })
}

function chainOf(chainId: string, step: object): Chain {
  return chainSchema.parse({
    name: chainId,
    trigger: { conversation_type: 'poll', event_type: chainId },
    steps: [{ id: 'only', retry: { max_attempts: 1 }, ...step }],
  })
}

function causeOf({ code, handler, chain_id }: DeadLetterGroup): string {
  return [code, handler, chain_id].filter((part) => part !== undefined).join(' ')
}

interface WorkerState {
  broker: Broker
  store: Store
  handled: Set<string>
  isMended(): boolean
}

async function startWorker({ broker, store, handled, isMended }: WorkerState) {
  const anything = z.looseObject({})
  return createWorker(
    {
      handlers: [
        defineHandler({
          name: 'good',
          description: 'Remembers the event.',
          config: anything,
          handle: async ({ event }) => void handled.add(event.event_id),
        }),
        defineHandler({
          name: 'commander',
          description: 'Sends a command.',
          config: z.object({ worker: z.string(), command: z.string() }),
          handle: async ({ config: { worker: worker_name, command } }) => ({
            commands: [{ worker_name, command, args: [], kwargs: {} }],
          }),
        }),
        defineHandler({
          name: 'strict',
          description: 'Wants a number.',
          config: z.object({ count: z.number() }),
          handle: async () => undefined,
        }),
        defineHandler({
          name: 'mended_later',
          description: 'Returns what it should not, until it is mended.',
          config: anything,
          output: z.object({ id: z.string() }),
          handle: async () => ({ output: { id: isMended() ? 'fine' : (7 as never) } }),
        }),
      ],
    },
    { broker, catalog: store.catalog, progress: store.progress, log, readiness: createReadiness() },
  )
}

/** A worker that gets nothing done: for RabbitMQ it is the same as one that dies of every message. */
async function refuseAll(broker: Broker, handler: string): Promise<void> {
  const queue = broker.topology.handlerQueue(handler)
  await broker.declare(queue)
  await broker.consume(queue.name, {}, async () => ({ kind: 'requeue' }))
}

/** The poison is spread evenly among the good. */
async function publishEverything(broker: Broker) {
  const publisher = createPublisher(broker)
  const idsOf: Record<string, string[]> = { good: [], bad_result: [], crash: [] }
  const publishing: Promise<unknown>[] = []
  const publish = (event: VumiApiEvent) => {
    idsOf[event.event_type]?.push(event.event_id)
    publishing.push(publisher.event(event))
  }
  for (let index = 0; index < OF_EACH_SORT; index += 1) {
    for (let good = 0; good < GOOD / OF_EACH_SORT; good += 1) publish(eventOf('good'))
    for (const chainId of Object.keys(CHAINS)) {
      if (chainId !== 'good') publish(eventOf(chainId))
    }
    publish(eventOf('looping', { caused_by: tooFarFrom(index) }))
    for (const [sort, bytes] of UNREADABLE.entries()) {
      publishing.push(
        broker.publish({
          exchange: broker.topology.exchange.events,
          routingKey: 'poll.good.acme',
          body: bytes(index),
          properties: { messageId: `unreadable-${sort}-${index}`, type: 'VumiApiEvent' },
        }),
      )
    }
    await Promise.all(publishing.splice(0))
  }
  return { good: idsOf.good!, badResult: idsOf.bad_result!, crash: idsOf.crash! }
}

function tooFarFrom(index: number): NonNullable<VumiApiEvent['caused_by']> {
  const path = Array.from({ length: 17 }, () => 'loop')
  return { event_id: `first-${index}`, run_id: `r-${index}`, step_id: 'only', hops: 17, path }
}

import {
  type Broker,
  createPublisher,
  createTopology,
  openAmqpBroker,
  RELAY_SLOTS,
} from '@signalbox/broker'
import { completeEvent, type EventInput } from '@signalbox/contracts'
import { createMetrics, silentLog } from '@signalbox/kit'
import { type Channel, openRedisStore, type Store } from '@signalbox/store'
import {
  leaseRabbitMq,
  leaseRedis,
  type RabbitMqLease,
  type RedisLease,
  waitFor,
} from '@signalbox/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createInterest } from '../src/interest.ts'
import { createEdgeMetrics } from '../src/metrics.ts'
import { type Relay, startRelay } from '../src/relay.ts'
import { ACCOUNT, publish, stateChange } from './edge-bed.ts'
import { startEdgeProcess } from './edge-process.ts'

let rabbitMq: RabbitMqLease
let redis: RedisLease
let source: Broker
let store: Store

beforeAll(async () => {
  rabbitMq = await leaseRabbitMq()
  redis = await leaseRedis()
  source = await openBroker('source')
  store = openRedisStore({ url: redis.redisUrl, namespace: redis.namespace, log: silentLog })
})
afterAll(async () => {
  await source.close()
  await store.close()
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

interface OwnRelay extends AsyncDisposable {
  relay: Relay
  broker: Broker
  /** Events that it has put into channels. */
  relayed(): Promise<number>
}

/** A relay with a connection of its own, as an edge has it. */
async function startOwnRelay(partitions: number, relayId: string): Promise<OwnRelay> {
  const broker = await openBroker(relayId)
  const metrics = createEdgeMetrics(createMetrics({ withProcessMetrics: false }), new Map())
  const relay = startRelay(
    { relayId, partitions, rosterIntervalMs: 200 },
    {
      broker,
      channels: store.channels,
      interest: store.interest,
      relays: store.relays,
      log: silentLog,
      metrics,
      storeUnavailableReason: () => undefined,
      onOrphan: () => undefined,
    },
  )
  await waitFor(() => relay.unavailableReason() === undefined, { what: `the relay ${relayId}` })
  return {
    relay,
    broker,
    async relayed() {
      const { values } = await metrics.relayed.get()
      return values.find(({ labels }) => labels.outcome === 'append')?.value ?? 0
    },
    async [Symbol.asyncDispose]() {
      await relay[Symbol.asyncDispose]()
      await broker.close()
    },
  }
}

const numbered = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)

const change = (person: string, id: string): EventInput => ({
  ...stateChange(person, 'flow', id),
  event_id: `${person}-${id}`,
})

const personChannel = (personKey: string): Channel => ({
  accountKey: ACCOUNT,
  kind: 'person',
  personKey,
})

/** What is in the person's channel, in order, without the person's name. */
async function relayedTo(person: string): Promise<string[]> {
  const { messages } = await store.channels.open(personChannel(person), { limit: 1_000 })
  return messages.map(({ id }) => id.slice(person.length + 1))
}

/** Each person has exactly these changes, in this order. */
async function expectEach(persons: readonly string[], ids: readonly string[]): Promise<void> {
  for (const person of persons) {
    await waitFor(async () => (await relayedTo(person)).length >= ids.length, {
      what: `the changes of ${person}`,
      timeoutMs: 20_000,
    })
    expect(await relayedTo(person)).toEqual(ids)
  }
}

/** For each person in this order, without waiting for one before the next: so that queues fill and relays have much in hand. */
async function publishEach(persons: readonly string[], ids: readonly string[]): Promise<void> {
  const publisher = createPublisher(source)
  await Promise.all(
    ids.flatMap((id) =>
      persons.map((person) => publisher.event(completeEvent(change(person, id)))),
    ),
  )
}

describe('two edges that share four partitions', () => {
  it('relay the changes of each person once and in order, also when one is killed', async () => {
    const start = () => startEdgeProcess(rabbitMq, redis, { SIGNALBOX_RELAY_PARTITIONS: '4' })
    await using one = await start()
    await using two = await start()
    const persons = numbered('killed-', 2 * RELAY_SLOTS)
    const before: string[] = []
    const isShared = async () => {
      before.push(`before-${before.length}`)
      await publishEach(persons, before.slice(-1))
      return (await one.relayed()) > 0 && (await two.relayed()) > 0
    }
    await waitFor(isShared, { what: 'both to relay', timeoutMs: 15_000, intervalMs: 250 })
    const during = numbered('during-', 40)
    const publishing = publishEach(persons, during)
    const relayedBefore = await one.relayed()
    await waitFor(async () => (await one.relayed()) > relayedBefore + 50, {
      what: 'the load to flow',
      intervalMs: 5,
    })
    one.edge.kill('SIGKILL')
    await publishing
    await publishEach(persons, ['end'])
    await expectEach(persons, [...before, ...during, 'end'])
  })

  it('relay in order while partitions change hands again and again', async () => {
    const persons = numbered('handed-', RELAY_SLOTS)
    const ids: string[] = []
    const publishMore = (count: number): Promise<void> => {
      const some = numbered(`${ids.length}-`, count)
      ids.push(...some)
      return publishEach(persons, some)
    }
    let current = await startOwnRelay(4, 'first')
    for (let turn = 0; turn < 4; turn++) {
      const before = publishMore(10)
      const next = await startOwnRelay(4, `relay-${turn}`)
      const meanwhile = publishMore(10)
      await current[Symbol.asyncDispose]()
      current = next
      await Promise.all([before, meanwhile, publishMore(1)])
      await waitFor(async () => (await next.relayed()) > 0, { what: 'the next to relay' })
    }
    await using _last = current
    await expectEach(persons, ids)
  })
})

describe('another number of partitions', () => {
  it('loses and doubles no change, with what waits in the queues from before', async () => {
    const persons = numbered('laid-', RELAY_SLOTS)
    const ids: string[] = []
    for (const partitions of [1, 4, 2, 1]) {
      const waiting = `waiting-for-${partitions}-of-${ids.length}`
      await publishEach(persons, [waiting])
      await using _own = await startOwnRelay(partitions, `with-${partitions}`)
      const live = numbered(`with-${partitions}-of-${ids.length}-`, 5)
      await expectEach(persons, [...ids, waiting])
      await publishEach(persons, live)
      ids.push(waiting, ...live)
      await expectEach(persons, ids)
    }
  })

  it('is relayed in order what a foreign publisher sends without a slot', async () => {
    await using _own = await startOwnRelay(4, 'foreign')
    const ids = numbered('', 60)
    for (const id of ids) {
      const event = completeEvent(change('foreign', id))
      await source.publish({
        exchange: source.topology.exchange.events,
        routingKey: `survey.flow_state_change.${ACCOUNT}`,
        body: Buffer.from(JSON.stringify(event)),
        properties: { messageId: event.event_id, type: 'VumiApiEvent' },
      })
    }
    await expectEach(['foreign'], ids)
  })
})

describe('interest in an account', () => {
  it('fills its channel with every event from its answer on, over all partitions, and with no other account’s', async () => {
    await using one = await startOwnRelay(3, 'one')
    await using _two = await startOwnRelay(3, 'two')
    await using interest = createInterest(
      {},
      {
        broker: one.broker,
        interest: store.interest,
        channels: store.channels,
        log: silentLog,
        wanted: () => [],
        isLeader: () => false,
      },
    )
    const all = (account: string, prefix: string) =>
      numbered(prefix, 30).map((id, index) => ({
        ...stateChange(`i${index}`, 'flow', id),
        account_key: account,
        event_type: index % 2 === 0 ? 'flow_state_change' : 'poll_complete',
        event_id: id,
      }))
    await publish(source, ...all(ACCOUNT, 'before-'))
    await interest.ensure(ACCOUNT)
    const events = all(ACCOUNT, 'after-')
    await Promise.all(
      [...events, ...all('other', 'foreign-')].map((event) => publish(source, event)),
    )
    const channel: Channel = { accountKey: ACCOUNT, kind: 'account' }
    const kept = async () => (await store.channels.open(channel, { limit: 1_000 })).messages
    await waitFor(
      async () => (await kept()).filter(({ id }) => id.startsWith('after-')).length === 30,
      {
        what: 'every event',
      },
    )
    const messages = (await kept()).filter(({ id }) => !id.startsWith('before-'))
    expect(messages.map(({ id }) => id).toSorted()).toEqual(
      events.map(({ event_id }) => event_id).toSorted(),
    )
    expect(JSON.parse(messages[0]!.payload)).toMatchObject({
      account_key: ACCOUNT,
      timestamp: expect.any(String) as string,
    })
    const other = await store.channels.open({ accountKey: 'other', kind: 'account' }, { limit: 10 })
    expect(other.messages).toEqual([])
  })
})

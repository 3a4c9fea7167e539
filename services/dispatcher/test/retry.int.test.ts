import { type Broker, createPublisher, createTopology, openAmqpBroker } from '@signalbox/broker'
import {
  chainSchema,
  completeEvent,
  type HandlerInvocation,
  type StepResult,
} from '@signalbox/contracts'
import { createMetrics, createReadiness, type Metrics, silentLog } from '@signalbox/kit'
import { openRedisStore, type Store } from '@signalbox/store'
import { leaseRabbitMq, leaseRedis, waitFor } from '@signalbox/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDispatcher } from '../src/index.ts'

const ACCOUNT = 'acme'
const HOUR_MS = 3_600_000
/** What a busy machine may add to a delay. */
const LATENESS_MS = 3_000

type Answer = Pick<StepResult, 'status' | 'error' | 'retry_after_ms'>
interface Attempt {
  invocation: HandlerInvocation
  atMs: number
}

const stack = new AsyncDisposableStack()
const registries: Metrics[] = []
let broker: Broker
let store: Store
let publisher: ReturnType<typeof createPublisher>

beforeAll(async () => {
  const rabbitMq = stack.use(await leaseRabbitMq())
  const { redisUrl, namespace } = stack.use(await leaseRedis())
  const topology = createTopology({ namespace })
  const open = async (connectionName: string) =>
    stack.use(
      await openAmqpBroker({ url: rabbitMq.amqpUrl, topology, log: silentLog, connectionName }),
    )
  store = stack.use(openRedisStore({ url: redisUrl, namespace, log: silentLog }))
  broker = await open('world-of-the-test')
  publisher = createPublisher(broker)
  for (const name of ['one', 'two']) {
    const deps = {
      store,
      broker: await open(`dispatcher-${name}`),
      log: silentLog,
      readiness: createReadiness(),
      metrics: createMetrics({ withProcessMetrics: false }),
    }
    registries.push(deps.metrics)
    stack.use(await createDispatcher({}, deps))
  }
})
afterAll(() => stack.disposeAsync())

/** Offers a handler; resolves to its attempts, as they come. */
async function offer(
  handler: string,
  answer: (invocation: HandlerInvocation) => Answer,
): Promise<Attempt[]> {
  const attempts: Attempt[] = []
  const queue = broker.topology.handlerQueue(handler)
  await broker.declare(queue)
  await broker.consume(queue.name, {}, async ({ body, properties }) => {
    const batch = JSON.parse(body.toString()) as HandlerInvocation[]
    for (const invocation of batch) {
      attempts.push({ invocation, atMs: Date.now() })
      const { invocation_id, attempt, context } = invocation
      const result = { ...answer(invocation), invocation_id, attempt, context, duration_ms: 1 }
      await publisher.results(properties.replyTo!, [result])
    }
    return { kind: 'ack' }
  })
  return attempts
}

/** A chain of one step, started by events of its own type. */
async function putChain(handler: string, retry: object): Promise<void> {
  const chain = chainSchema.parse({
    name: handler,
    trigger: { conversation_type: 'poll', event_type: handler },
    steps: [{ id: 'only', handler, retry }],
  })
  await store.chains.put(ACCOUNT, handler, chain)
}

async function publish(eventType: string, eventId?: string): Promise<string> {
  const event = completeEvent({
    account_key: ACCOUNT,
    conversation_key: 'spring',
    conversation_type: 'poll',
    event_type: eventType,
    event_data: {},
    ...(eventId === undefined ? {} : { event_id: eventId }),
  })
  await publisher.event(event)
  return event.event_id
}

const ended = (eventId: string) =>
  waitFor(
    async () => {
      const biography = await store.biographies.get(ACCOUNT, eventId)
      return biography?.outcome !== 'pending' && biography
    },
    { what: `event ${eventId} to end`, timeoutMs: 20_000 },
  )

const busy = (retry_after_ms?: number): Answer => ({
  status: 'failed',
  error: {
    code: 'BUSY',
    message: 'not yet',
    retryable: true,
    ...(retry_after_ms === undefined ? {} : { retry_after_ms }),
  },
})

describe('retries on RabbitMQ', () => {
  it('let a step that fails three times succeed at the fourth attempt, each after its delay', async () => {
    const attempts = await offer('flaky', ({ attempt }) =>
      attempt < 4 ? busy() : { status: 'succeeded' },
    )
    await putChain('flaky', { max_attempts: 4, initial_delay_ms: 1_000, factor: 1 })
    const biography = await ended(await publish('flaky'))

    expect(attempts.map(({ invocation }) => invocation.attempt)).toEqual([1, 2, 3, 4])
    expect(new Set(attempts.map(({ invocation }) => invocation.invocation_id)).size).toBe(1)
    for (const [index, { atMs }] of attempts.slice(1).entries()) {
      const delayMs = atMs - attempts[index]!.atMs
      expect(delayMs).toBeGreaterThanOrEqual(1_000)
      expect(delayMs).toBeLessThan(1_000 + LATENESS_MS)
    }
    expect(biography.outcome).toBe('succeeded')
    const steps = biography.runs[0]?.steps ?? []
    expect(steps.map(({ status, retry_at }) => [status, retry_at !== undefined])).toEqual([
      ['failed', true],
      ['failed', true],
      ['failed', true],
      ['succeeded', false],
    ])
  })

  it('are not held up by a retry that waits longer', async () => {
    const slow = await offer('slow', () => busy(HOUR_MS))
    const quick = await offer('quick', ({ attempt }) =>
      attempt < 2 ? busy() : { status: 'succeeded' },
    )
    await putChain('slow', { max_attempts: 2 })
    await putChain('quick', { max_attempts: 2 })
    const slowId = await publish('slow')
    const held = await waitFor(
      async () => (await store.biographies.get(ACCOUNT, slowId))?.runs[0]?.steps[0]?.retry_at,
      { what: 'the retry in an hour' },
    )
    expect(Date.parse(held) - Date.now()).toBeGreaterThan(HOUR_MS - LATENESS_MS)
    await ended(await publish('quick'))
    expect(quick[1]!.atMs - quick[0]!.atMs).toBeLessThan(1_000 + LATENESS_MS)
    expect(slow).toHaveLength(1)
  })
})

describe('an attempt that its worker puts off, on RabbitMQ', () => {
  it('comes again after the delay as the same attempt, and the biography counts it', async () => {
    const attempts = await offer('full', ({ context: { deferrals = 0 } }) =>
      deferrals < 2 ? { status: 'deferred', retry_after_ms: 1_000 } : { status: 'succeeded' },
    )
    await putChain('full', { max_attempts: 1 })
    const biography = await ended(await publish('full'))
    expect(attempts.map(({ invocation }) => invocation.attempt)).toEqual([1, 1, 1])
    expect(attempts[2]!.atMs - attempts[0]!.atMs).toBeGreaterThanOrEqual(2_000)
    expect(biography.runs[0]?.steps).toMatchObject([
      { attempt: 1, status: 'succeeded', deferrals: 2 },
    ])
  })
})

/** Of events, at all dispatchers. */
async function duplicates(): Promise<number> {
  const counts = await Promise.all(
    registries.map((registry) =>
      registry.getSingleMetricAsString('signalbox_dispatcher_duplicates_total'),
    ),
  )
  return counts
    .map((text) => Number(/\{of="event"\} (\d+)/.exec(text)?.[1] ?? 0))
    .reduce((sum, count) => sum + count, 0)
}

describe('an event that is published five times at once', () => {
  it('is run once, by whichever of two dispatchers', async () => {
    const attempts = await offer('counted', () => ({ status: 'succeeded' }))
    await putChain('counted', {})
    const ids = Array.from({ length: 20 }, (_, index) => `same-${index}`)
    await Promise.all(ids.flatMap((id) => Array.from({ length: 5 }, () => publish('counted', id))))
    for (const id of ids) expect((await ended(id)).outcome).toBe('succeeded')
    await waitFor(async () => (await duplicates()) === 4 * ids.length, {
      what: 'every other copy to be taken for a duplicate',
    })
    expect(attempts.map(({ invocation }) => invocation.context.event.event_id).toSorted()).toEqual(
      ids.toSorted(),
    )
  })
})

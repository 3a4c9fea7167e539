import { type Broker, createPublisher, createTopology, openAmqpBroker } from '@signalbox/broker'
import {
  chainSchema,
  completeEvent,
  type HandlerInvocation,
  type StepResult,
} from '@signalbox/contracts'
import { createMetrics, createReadiness, silentLog } from '@signalbox/kit'
import { createMemoryStore, type Store } from '@signalbox/store'
import {
  createManagementApi,
  type PrivateRabbitMq,
  startPrivateRabbitMq,
  waitFor,
} from '@signalbox/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDispatcher } from '../src/index.ts'

const ACCOUNT = 'acme'
const topology = createTopology()
const readiness = createReadiness()

const stack = new AsyncDisposableStack()
let rabbitmq: PrivateRabbitMq
let broker: Broker
let store: Store
let publisher: ReturnType<typeof createPublisher>

beforeAll(async () => {
  rabbitmq = stack.use(await startPrivateRabbitMq())
  // What a queue refused, RabbitMQ would move on after three minutes.
  const impatience =
    'application:set_env(rabbit, dead_letter_worker_publisher_confirm_timeout, 500).'
  await rabbitmq.control('eval', impatience)
  const open = async (connectionName: string) =>
    stack.use(
      await openAmqpBroker({ url: rabbitmq.amqpUrl, topology, log: silentLog, connectionName }),
    )
  store = stack.use(createMemoryStore())
  broker = await open('world-of-the-test')
  publisher = createPublisher(broker)
  const metrics = createMetrics({ withProcessMetrics: false })
  const deps = { store, broker: await open('dispatcher'), log: silentLog, readiness, metrics }
  stack.use(await createDispatcher({}, deps))
}, 60_000)
afterAll(() => stack.disposeAsync())

/** Offers a handler, and a chain of it alone; resolves to what it was called for, as it comes. */
async function offer(handler: string): Promise<HandlerInvocation[]> {
  const invocations: HandlerInvocation[] = []
  await putChain(handler)
  await broker.consume(topology.handlerQueue(handler).name, {}, async ({ body, properties }) => {
    const batch = JSON.parse(body.toString()) as HandlerInvocation[]
    invocations.push(...batch)
    const results = batch.map(
      ({ invocation_id, attempt, context }): StepResult => ({
        status: 'succeeded',
        invocation_id,
        attempt,
        context,
        duration_ms: 1,
      }),
    )
    await publisher.results(properties.replyTo!, results as [StepResult])
    return { kind: 'ack' }
  })
  return invocations
}

async function putChain(handler: string): Promise<void> {
  await broker.declare(topology.handlerQueue(handler))
  const trigger = { conversation_type: 'poll', event_type: handler }
  const steps = [{ id: 'only', handler }]
  await store.chains.put(ACCOUNT, handler, chainSchema.parse({ name: handler, trigger, steps }))
}

async function publish(eventType: string): Promise<string> {
  const event = completeEvent({
    account_key: ACCOUNT,
    conversation_key: 'spring',
    conversation_type: 'poll',
    event_type: eventType,
    event_data: {},
  })
  await publisher.event(event)
  return event.event_id
}

const publishMany = (eventType: string, count: number) =>
  Promise.all(Array.from({ length: count }, () => publish(eventType)))

async function succeeds(eventId: string): Promise<void> {
  const what = `event ${eventId} to succeed`
  await waitFor(
    async () => (await store.biographies.get(ACCOUNT, eventId))?.outcome === 'succeeded',
    { what, timeoutMs: 5_000 },
  )
}

const lanesReason = () => readiness.report().reasons.lanes

describe('a handler whose queue takes nothing, on RabbitMQ', () => {
  it('holds up no other while the queue does not confirm, and gets all of it afterwards', async () => {
    await offer('quick')
    const handled = await offer('stuck')
    const process = `'%2F_${topology.handlerQueue('stuck').name}'`
    await rabbitmq.control('eval', `sys:suspend(whereis(${process})).`)
    const stuckIds = await publishMany('stuck', 1_500)
    try {
      for (let count = 0; count < 10; count += 1) await succeeds(await publish('quick'))
      expect(lanesReason()).toContain('the queue of handler "stuck" has taken nothing')
    } finally {
      await rabbitmq.control('eval', `sys:resume(whereis(${process})).`)
    }

    const handledIds = () => handled.map(({ context }) => context.event.event_id)
    await waitFor(() => handled.length >= stuckIds.length, {
      what: 'what was sent to the stuck queue',
      timeoutMs: 20_000,
    })
    expect(handledIds().toSorted()).toEqual(stuckIds.toSorted())
    await waitFor(() => readiness.report().ready, { what: 'readiness' })
  })

  it('holds up no other while the queue refuses, and gets all of it afterwards', async () => {
    await offer('quick')
    await putChain('full')
    const management = createManagementApi(rabbitmq.managementUrl)
    const { name } = topology.handlerQueue('full')
    await management.put('/policies/%2F/bounded', {
      pattern: `^${name}$`,
      definition: { 'max-length': 5 },
      'apply-to': 'queues',
    })
    const fullIds = new Set<string>()
    await waitFor(
      async () => {
        for (const id of await publishMany('full', 20)) fullIds.add(id)
        return lanesReason()?.includes('the queue of handler "full"')
      },
      { what: 'the lane to be held' },
    )
    for (let count = 0; count < 10; count += 1) await succeeds(await publish('quick'))
    await management.delete('/policies/%2F/bounded')
    const handled = await offer('full')

    const handledIds = () => new Set(handled.map(({ context }) => context.event.event_id))
    await waitFor(() => handledIds().size === fullIds.size, {
      what: 'what was sent to the full queue',
      timeoutMs: 20_000,
    })
    expect(handledIds()).toEqual(fullIds)
  })
})

/** The end of a measured chain: this process publishes the events, and takes the last step of each run as its handler `last`. */
import { type Broker, createPublisher, createTopology, openAmqpBroker } from '@signalbox/broker'
import {
  type Chain,
  type HandlerInvocation,
  type StepResult,
  uuidv7,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { silentLog } from '@signalbox/kit'
import { openRedisStore } from '@signalbox/store'
import { type Bench, NAMESPACE } from './brokers.ts'

const ACCOUNT = 'bench'
const PREFETCH = 1_000

export interface LastStep extends AsyncDisposable {
  readonly broker: Broker
  /** Resolves with the confirm. */
  publish(event: VumiApiEvent): Promise<void>
  /** Has `arrived` called with the `event_data.index` of each event whose last step is due; replaces the one before. */
  listen(arrived: (index: number) => void): void
  /** Keeps a chain of these steps, for events whose type is its name. */
  putChain(
    name: string,
    steps: readonly Pick<Chain['steps'][number], 'id' | 'handler' | 'config'>[],
  ): Promise<void>
}

export async function openLastStep({ amqpUrl, redisUrl }: Bench): Promise<LastStep> {
  await using opening = new AsyncDisposableStack()
  const topology = createTopology({ namespace: NAMESPACE })
  const store = opening.use(openRedisStore({ url: redisUrl, namespace: NAMESPACE, log: silentLog }))
  const broker = opening.use(
    await openAmqpBroker({ url: amqpUrl, topology, log: silentLog, connectionName: 'bench' }),
  )
  const publisher = createPublisher(broker)
  let arrived = (_index: number) => {}
  const queue = topology.handlerQueue('last')
  await broker.declare(queue)
  await broker.consume(queue.name, { prefetch: PREFETCH }, async (delivery) => {
    const batch = JSON.parse(delivery.body.toString()) as HandlerInvocation[]
    for (const { context } of batch) arrived(indexOf(context.event))
    const results = batch.map(
      ({ invocation_id, attempt, context }): StepResult => ({
        invocation_id,
        attempt,
        status: 'succeeded',
        duration_ms: 0,
        context,
      }),
    )
    await publisher.results(delivery.properties.replyTo!, results as [StepResult])
    return { kind: 'ack' }
  })
  const owned = opening.move()

  return {
    broker,
    publish: (event) => publisher.event(event),
    listen(listener) {
      arrived = listener
    },
    async putChain(name, steps) {
      await store.chains.put(ACCOUNT, name, {
        name,
        enabled: true,
        trigger: { conversation_type: 'bench', event_type: name },
        steps: steps.map((step) => ({ ...step, on_error: 'stop' as const })),
      })
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Of the kind that starts the chain of that name. */
export function benchEvent(eventType: string, index: number): VumiApiEvent {
  return {
    event_id: uuidv7(),
    account_key: ACCOUNT,
    conversation_key: 'c1',
    conversation_type: 'bench',
    event_type: eventType,
    timestamp: new Date().toISOString(),
    event_data: { text: 'x'.repeat(100), index },
  }
}

export function indexOf(event: VumiApiEvent): number {
  return Number(event.event_data.index)
}

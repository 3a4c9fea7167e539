/** A dispatcher on memory engines, with everything around it that a test wants to see. */
import {
  createMemoryBroker,
  createPublisher,
  createTopology,
  type Delivery,
} from '@signalbox/broker'
import {
  type Chain,
  chainSchema,
  completeEvent,
  type DeadLetter,
  type EventInput,
  type HandlerInvocation,
  type StepResult,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { createMetrics, createReadiness, type Metrics, silentLog } from '@signalbox/kit'
import {
  type ChainStore,
  createMemoryStore,
  type DeadLetterStore,
  type Store,
  type StoreBounds,
} from '@signalbox/store'
import { waitFor } from '@signalbox/testkit'
import { createDispatcher } from '../src/index.ts'

export const ACCOUNT = 'acme'

export type Answer = Partial<Omit<StepResult, 'context' | 'invocation_id'>>

export interface Bench extends AsyncDisposable {
  store: Store
  metrics: Metrics
  readiness: ReturnType<typeof createReadiness>
  broker: ReturnType<typeof createMemoryBroker>
  publisher: ReturnType<typeof createPublisher>
  deadLetters: DeadLetter[]
  invocations: HandlerInvocation[]
  /** Offers a handler that answers each invocation with what `answer` returns. */
  offer(handler: string, answer?: (invocation: HandlerInvocation) => Answer): Promise<void>
  putChain(chainId: string, chain: object): Promise<void>
  publish(overrides?: Partial<EventInput>): Promise<VumiApiEvent>
  /** The biography when it has this outcome. */
  biography(eventId: string, outcome: string): ReturnType<Store['biographies']['get']>
}

/** `faults` and `deadLetterFaults` stand in the place of the stores' own methods. */
export async function startBench(
  faults: (chains: ChainStore) => Partial<ChainStore> = () => ({}),
  deadLetterFaults: (letters: DeadLetterStore) => Partial<DeadLetterStore> = () => ({}),
  bounds: StoreBounds = {},
): Promise<Bench> {
  const stack = new AsyncDisposableStack()
  const topology = createTopology()
  const broker = stack.use(createMemoryBroker({ topology, log: silentLog }))
  const store = stack.use(createMemoryStore(bounds))
  const chains = overridden(store.chains, faults(store.chains))
  const deadLetters: DeadLetter[] = []
  const faulty = overridden(store.deadLetters, deadLetterFaults(store.deadLetters))
  const watched = overridden(store.deadLetters, {
    async keep(letter) {
      deadLetters.push(letter)
      return faulty.keep(letter)
    },
  })
  const readiness = createReadiness()
  const metrics = createMetrics({ withProcessMetrics: false })
  stack.use(
    await createDispatcher(
      {},
      {
        broker,
        store: overridden(store, { chains, deadLetters: watched }),
        log: silentLog,
        readiness,
        metrics,
      },
    ),
  )
  const publisher = createPublisher(broker)
  const invocations: HandlerInvocation[] = []

  return {
    store,
    metrics,
    broker,
    publisher,
    readiness,
    deadLetters,
    invocations,
    async offer(handler, answer = () => ({})) {
      const queue = topology.handlerQueue(handler)
      await broker.declare(queue)
      await broker.consume(queue.name, {}, async (delivery) => {
        const batch = jsonOf(delivery) as HandlerInvocation[]
        invocations.push(...batch)
        const results = batch.map(
          (invocation): StepResult => ({
            status: 'succeeded',
            duration_ms: 1,
            attempt: invocation.attempt,
            ...answer(invocation),
            invocation_id: invocation.invocation_id,
            context: invocation.context,
          }),
        )
        await publisher.results(delivery.properties.replyTo!, results as [StepResult])
        return { kind: 'ack' }
      })
    },
    async putChain(chainId, chain) {
      const parsed: Chain = chainSchema.parse({
        name: chainId,
        trigger: { conversation_type: 'poll', event_type: 'poll_complete' },
        ...chain,
      })
      await store.chains.put(ACCOUNT, chainId, parsed)
    },
    async publish(overrides = {}) {
      const event = completeEvent({
        account_key: ACCOUNT,
        conversation_key: 'spring',
        conversation_type: 'poll',
        event_type: 'poll_complete',
        event_data: {},
        ...overrides,
      })
      await publisher.event(event)
      return event
    },
    async biography(eventId, outcome) {
      return waitFor(
        async () => {
          const biography = await store.biographies.get(ACCOUNT, eventId)
          return biography?.outcome === outcome && biography
        },
        { what: `event ${eventId} to be ${outcome}`, timeoutMs: 3_000 },
      )
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

function jsonOf(delivery: Delivery): unknown {
  return JSON.parse(delivery.body.toString())
}

function overridden<Target extends object>(target: Target, overrides: Partial<Target>): Target {
  return new Proxy(target, {
    get(_target, property) {
      if (Object.hasOwn(overrides, property)) return Reflect.get(overrides, property) as unknown
      const value = Reflect.get(target, property) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

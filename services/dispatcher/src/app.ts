/**
 * The dispatcher: events to runs, results to next steps. The decisions are pure and live in `@signalbox/chains`; here they are
 * performed, and a delivery is settled only after everything it led to is confirmed.
 */
import {
  type Broker,
  type Consumer,
  createPublisher,
  type Delivery,
  type Settlement,
} from '@signalbox/broker'
import {
  createRepeatedFailures,
  delay,
  type Log,
  type Metrics,
  type Readiness,
} from '@signalbox/kit'
import type { Store } from '@signalbox/store'
import { createChainCache } from './chain-cache.ts'
import { keepDeadLetters } from './dead-letter-keeping.ts'
import { handleEvent } from './event-handling.ts'
import { createInvocationOutbox } from './invocation-outbox.ts'
import { reachingKnownHandlers } from './known-handlers.ts'
import { createLanes } from './lanes.ts'
import { createDispatcherMetrics } from './metrics.ts'
import { createOutages } from './outage.ts'
import { handleResults } from './result-handling.ts'

/** Each may be a batch of 64 results and a mebibyte. n.b. 64 may wait for a queue that takes nothing until their publishes time out. */
const RESULT_PREFETCH = 256

export interface DispatcherOptions {
  /** Deliveries in hand at once, per queue; default 500. */
  prefetch?: number
}

/** A dead letter may have megabytes. */
const DEAD_LETTER_PREFETCH = 32

export interface DispatcherDeps {
  broker: Broker
  store: Pick<
    Store,
    'chains' | 'catalog' | 'biographies' | 'deadLetters' | 'progress' | 'unavailableReason'
  >
  log: Log
  readiness: Readiness
  metrics: Metrics
}

/** Consumes until disposed; disposing finishes what is in hand. */
export async function createDispatcher(
  options: DispatcherOptions,
  deps: DispatcherDeps,
): Promise<AsyncDisposable> {
  const { broker, store, log, readiness } = deps
  const { prefetch = 500 } = options
  const { topology } = broker
  const metrics = createDispatcherMetrics(deps.metrics)
  await using stack = new AsyncDisposableStack()

  readiness.add('rabbitmq', () => broker.unavailableReason())
  readiness.add('redis', () => store.unavailableReason())

  const outages = createOutages(log)
  readiness.add('dispatch', () => outages.reason())
  const tellForgotten = createRepeatedFailures(log, { level: 'warn' })
  stack.defer(
    store.progress.onForgotten((accountKey, forgotten) => {
      metrics.progressForgotten.inc(forgotten)
      tellForgotten('progress', { accountKey, forgotten }, 'progress.forgotten')
    }),
  )
  const chains = stack.use(await createChainCache(store.chains, log))
  const publisher = createPublisher(broker)
  const reaching = reachingKnownHandlers({ publisher, broker, catalog: store.catalog })
  const lanes = stack.use(
    createLanes({
      publisher: { ...publisher, ...reaching },
      broker,
      metrics,
      log,
      onHeld: (handler) => invocations.release(handler),
    }),
  )
  const invocations = createInvocationOutbox({ publisher: lanes })
  readiness.add('lanes', () => lanes.reason())
  const shared = {
    broker,
    publisher,
    invocations,
    topology,
    metrics,
    log,
    chains,
    biographies: store.biographies,
    deadLetters: store.deadLetters,
    progress: store.progress,
    pause: delay,
  }

  const consumers: Consumer[] = []
  // n.b. at once: of a broker that hangs each waits for its time to be over.
  stack.defer(async () => void (await Promise.all(consumers.map((each) => each.close()))))
  const consume = async (
    queue: string,
    handle: (delivery: Delivery, deps: typeof shared, pass: number) => Promise<Settlement>,
    maxPrefetch = prefetch,
  ) => {
    const options = { prefetch: Math.min(prefetch, maxPrefetch) }
    const settleSeconds = metrics.settleSeconds.labels(queue)
    const consumer = await broker.consume(queue, options, async (delivery) => {
      const startedAtMs = performance.now()
      const settlement = await outages.outlast(
        (pass) => handle(delivery, shared, pass),
        () => delivery.isVoid,
      )
      const durationMs = performance.now() - startedAtMs
      settleSeconds.observe(durationMs / 1_000)
      log.debug({ queue, settlement: settlement.kind, durationMs }, 'delivery.settled')
      return settlement
    })
    outages.pauses(consumer)
    readiness.add(`consumer ${queue}`, () =>
      consumer.state === 'consuming' ? undefined : `${consumer.state}, not consuming`,
    )
    consumers.push(consumer)
  }
  // n.b. disposal runs backwards: consumers close after what is held lets go.
  await consume(topology.queue.dispatcherEvents, handleEvent)
  await consume(topology.queue.dispatcherResults, handleResults, RESULT_PREFETCH)
  await consume(topology.queue.dead, keepDeadLetters, DEAD_LETTER_PREFETCH)
  stack.defer(() => outages.close())

  const owned = stack.move()
  return { [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** The callbacks service: a handler worker that delivers to listeners, whatever their endpoints do. */
import type { Broker } from '@signalbox/broker'
import type { Log, Metrics, Readiness } from '@signalbox/kit'
import {
  type AddressPolicy,
  createAmqpDelivery,
  createDnsResolver,
  createHttpDelivery,
  createSigner,
  type Resolve,
  type Sealer,
} from '@signalbox/outbound'
import type { Store } from '@signalbox/store'
import { createSource, createWorker, type Handler } from '@signalbox/worker'
import { type AdmissionOptions, createAdmissions } from './admission.ts'
import { amqpCallbacks } from './amqp-callback.ts'
import { callbackHandler } from './callback-handler.ts'
import { createDeliveryRecorder } from './delivery-recorder.ts'
import { httpCallbacks } from './http-callback.ts'
import { createListenerCache } from './listener-cache.ts'
import { createDisabling, type DisablingOptions } from './listener-disabling.ts'
import { createCallbackMetrics } from './metrics.ts'

const DEFAULT_CONCURRENCY = 512

export interface CallbacksOptions {
  /** Callbacks in hand at once, per type; default 512. */
  concurrency?: number | undefined
  admission?: AdmissionOptions | undefined
  disabling?: DisablingOptions | undefined
  /** Our own broker, for callbacks over AMQP without a URL; absent: there is none. */
  homeAmqpUrl?: string | undefined
  /** How long disposing lets callbacks finish; default 20,000 ms. */
  drainTimeoutMs?: number | undefined
}

export interface CallbacksDeps {
  broker: Broker
  store: Pick<Store, 'catalog' | 'progress' | 'chains' | 'listeners' | 'deliveries'>
  sealer: Sealer
  policy: AddressPolicy
  /** Default: DNS. */
  resolve?: Resolve
  log: Log
  readiness: Readiness
  metrics: Metrics
}

/** Consumes until disposed; disposing finishes what is in hand. */
export async function createCallbacks(
  options: CallbacksOptions,
  deps: CallbacksDeps,
): Promise<AsyncDisposable> {
  const { broker, store, log, readiness, policy, resolve = createDnsResolver() } = deps
  const { concurrency = DEFAULT_CONCURRENCY, homeAmqpUrl, drainTimeoutMs } = options
  await using stack = new AsyncDisposableStack()

  const admissions = createAdmissions(options.admission)
  const metrics = createCallbackMetrics(deps.metrics, admissions)
  const cache = stack.use(
    await createListenerCache({ listeners: store.listeners, sealer: deps.sealer }),
  )
  const source = createSource({ broker })
  const disabling = createDisabling(options.disabling ?? {}, {
    ...store,
    publishEvent: (event) => source.publishEvent(event),
    forget: cache.forget,
    metrics,
    log,
  })
  const recorder = stack.use(
    createDeliveryRecorder({
      deliveries: store.deliveries,
      onFailures: (listeners) => void disabling.look(listeners),
      onDropped: (count) => metrics.unrecorded.inc(count),
      log,
    }),
  )
  // n.b. as many as may be under way: whom the guard lets in never waits for another one's connection to the same origin.
  const http = stack.use(
    createHttpDelivery({ connectionsPerOrigin: concurrency }, { policy, resolve }),
  )
  const { namespace } = broker.topology
  const amqp = stack.use(
    createAmqpDelivery({ homeUrl: homeAmqpUrl, namespace }, { policy, resolve }),
  )
  const shared = {
    listeners: cache,
    admissions,
    signer: createSigner(),
    recorder,
    disabling,
    metrics,
  }
  const handlers: Handler[] = [
    callbackHandler(httpCallbacks(http), shared),
    callbackHandler(amqpCallbacks(amqp), shared),
  ]
  stack.use(
    await createWorker(
      { handlers, concurrency, ...(drainTimeoutMs === undefined ? {} : { drainTimeoutMs }) },
      {
        broker,
        catalog: store.catalog,
        progress: store.progress,
        log,
        readiness,
        metrics: deps.metrics,
      },
    ),
  )
  const owned = stack.move()
  return { [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

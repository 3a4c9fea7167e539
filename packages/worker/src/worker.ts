/**
 * The worker: consumes the queue of each of its handlers, runs them, answers, and keeps itself in the catalog.
 *
 * Closing it: it leaves the catalog and takes no more; what is in hand may finish for `drainTimeoutMs`, then handlers are
 * told to stop through their signal and their invocations go back to the queue; then it is closed.
 */
import { hostname } from 'node:os'
import { type Broker, createPublisher } from '@signalbox/broker'
import { uuidv7 } from '@signalbox/contracts'
import { InvalidInputError, type Log, type Metrics, type Readiness } from '@signalbox/kit'
import type { HandlerCatalog, ProgressStore } from '@signalbox/store'
import type { Handler } from './handler.ts'
import { consumeInvocations } from './handler-consumer.ts'
import { workerStopped } from './in-time.ts'
import { registerHandlers } from './registration.ts'
import { createResultOutbox } from './result-outbox.ts'
import { workerMetricsOf } from './worker-metrics.ts'

const DEFAULT_CONCURRENCY = 64
const DEFAULT_REGISTRATION_TTL_MS = 30_000
const DEFAULT_DRAIN_TIMEOUT_MS = 20_000
/** Below RabbitMQ's 30 minutes, after which it would call the consumer stuck. Source: https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout */
const DEFAULT_PATIENCE_MS = 10 * 60_000

export interface WorkerOptions {
  /** As the catalog shows it; default: made of the host's name. */
  workerId?: string
  handlers: readonly Handler[]
  /** Invocations at work at once, per handler; default 64. */
  concurrency?: number
  /** How long the catalog believes in this worker without hearing of it; default 30,000 ms. */
  registrationTtlMs?: number
  /** How long `close` lets handlers finish; default 20,000 ms. */
  drainTimeoutMs?: number
  /** How long work in hand waits for RabbitMQ or Redis to come back; default 10 minutes. */
  patienceMs?: number
}

export interface WorkerDeps {
  broker: Pick<Broker, 'topology' | 'declare' | 'consume' | 'publish'>
  catalog: Pick<HandlerCatalog, 'register' | 'unregister'>
  /** Asked, before a step that came again is done again, whether it was done. */
  progress: Pick<ProgressStore, 'outcome'>
  log: Log
  readiness: Readiness
  metrics?: Metrics
}

/** Disposing it is `close`. */
export interface Worker extends AsyncDisposable {
  readonly workerId: string
  /** Idempotent. */
  close(): Promise<void>
}

/** Resolves when it consumes. Throws `InvalidInputError` when two handlers share a name. */
export async function createWorker(options: WorkerOptions, deps: WorkerDeps): Promise<Worker> {
  const {
    workerId = `${hostname()}-${uuidv7()}`,
    handlers,
    concurrency = DEFAULT_CONCURRENCY,
    registrationTtlMs: ttlMs = DEFAULT_REGISTRATION_TTL_MS,
    drainTimeoutMs = DEFAULT_DRAIN_TIMEOUT_MS,
    patienceMs = DEFAULT_PATIENCE_MS,
  } = options
  const { broker, catalog, progress, log, readiness } = deps
  requireDistinct(handlers)

  const shutdown = new AbortController()
  const execution = { log, shutdown: shutdown.signal, patienceMs }
  const outbox = createResultOutbox({ ...execution, publisher: createPublisher(broker) })
  const metrics = deps.metrics && workerMetricsOf(deps.metrics)

  const consumers = await Promise.all(
    handlers.map((handler) =>
      consumeInvocations(
        { handler, concurrency },
        { ...execution, broker, outbox, progress, metrics },
      ),
    ),
  )
  for (const consumer of consumers) {
    readiness.add(`consumer ${consumer.queue}`, () =>
      consumer.state === 'consuming' ? undefined : `is ${consumer.state}`,
    )
  }
  const registration = await registerHandlers(
    { workerId, handlers: handlers.map(({ description }) => description), ttlMs },
    { catalog, log },
  )

  let closing: Promise<void> | undefined
  const close = async () => {
    const drained = Promise.all(consumers.map((consumer) => consumer.close()))
    const patience = setTimeout(() => shutdown.abort(workerStopped()), drainTimeoutMs)
    try {
      await Promise.all([drained, registration[Symbol.asyncDispose]()])
    } finally {
      clearTimeout(patience)
    }
  }
  const closeOnce = () => (closing ??= close())
  return { workerId, close: closeOnce, [Symbol.asyncDispose]: closeOnce }
}

function requireDistinct(handlers: readonly Handler[]): void {
  const names = new Set<string>()
  for (const { name } of handlers) {
    if (names.has(name)) throw new InvalidInputError(`handlers: two are named "${name}"`)
    names.add(name)
  }
}

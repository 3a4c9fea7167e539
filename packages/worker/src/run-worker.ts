/** A whole worker process from its handlers: configuration, engines, health, and a clean end. */
import { env as processEnv } from 'node:process'
import { type Broker, createTopology, openAmqpBroker } from '@signalbox/broker'
import {
  brokerConfigShape,
  createHttpApp,
  type Log,
  orExit,
  parseConfig,
  portSchema,
  processConfigShape,
  recordConfigShape,
  runService,
  storeConfigShape,
} from '@signalbox/kit'
import { openRedisStore, recordBounds, type Store } from '@signalbox/store'
import { z } from 'zod'
import type { Handler } from './handler.ts'
import { createWorker } from './worker.ts'

/** The rest is for results, confirms and connections. */
const HANDLERS_SHARE_OF_DRAIN = 0.8

/** What a worker process reads from its environment; a worker with more of its own extends this. */
export const workerConfigShape = {
  ...processConfigShape,
  ...brokerConfigShape,
  ...storeConfigShape,
  SIGNALBOX_MAX_CONTACTS: recordConfigShape.SIGNALBOX_MAX_CONTACTS,
  PORT: portSchema(8083),
}
const workerConfigSchema = z.object(workerConfigShape)
export type WorkerConfig = z.infer<typeof workerConfigSchema>

export interface HandlerDeps {
  broker: Broker
  store: Store
  log: Log
}

export interface RunWorkerOptions {
  /** As logs and the broker's connection list call it. */
  name: string
  handlers: readonly Handler[] | ((deps: HandlerDeps) => readonly Handler[])
  /** Default: read from `env`. */
  config?: WorkerConfig
  /** Default: the process's environment. */
  env?: Readonly<Record<string, string | undefined>>
}

/** Runs until SIGTERM or SIGINT, and ends the process: 0 after a clean end, 1 when a bad configuration or a failure ended it. */
export async function runWorker(options: RunWorkerOptions): Promise<void> {
  const { name, handlers, env = processEnv } = options
  const config = options.config ?? orExit(() => parseConfig(workerConfigSchema, env))

  await runService({ name, config }, async ({ use, log, readiness, metrics }) => {
    const broker = use(
      await openAmqpBroker({
        url: config.AMQP_URL,
        topology: createTopology({
          namespace: config.SIGNALBOX_NAMESPACE,
          vumiBridge: config.SIGNALBOX_VUMI_BRIDGE,
        }),
        log,
        connectionName: name,
      }),
    )
    const store = use(
      openRedisStore({
        url: config.REDIS_URL,
        namespace: config.SIGNALBOX_NAMESPACE,
        log,
        bounds: recordBounds(config),
      }),
    )
    readiness.add('rabbitmq', () => broker.unavailableReason())
    readiness.add('redis', () => store.unavailableReason())

    const app = createHttpApp({}, { log, readiness, metrics })
    use({ [Symbol.asyncDispose]: () => app.close() })
    await app.listen({ host: config.HOST, port: config.PORT })

    const own = typeof handlers === 'function' ? handlers({ broker, store, log }) : handlers
    use(
      await createWorker(
        { handlers: own, drainTimeoutMs: config.DRAIN_TIMEOUT_MS * HANDLERS_SHARE_OF_DRAIN },
        { broker, catalog: store.catalog, progress: store.progress, log, readiness, metrics },
      ),
    )
  })
}

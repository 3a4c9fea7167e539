/** Brokers and services for a measurement: private instances, gone when the measurement is. */
import {
  freePort,
  startPrivateRabbitMq,
  startPrivateRedis,
  startProcess,
  type TestProcess,
} from '@signalbox/testkit'

export const NAMESPACE = 'bench'
export const TOKEN_SECRET = 'bench-token-secret-0123456789-0123456789'

export interface Bench extends AsyncDisposable {
  amqpUrl: string
  redisUrl: string
  /** Starts a service (or a bench process) and resolves when it is ready. */
  start(
    name: string,
    entry: string,
    env?: Readonly<Record<string, string>>,
  ): Promise<{ url: string; process: TestProcess }>
}

export interface BenchOptions {
  /** As Redis has it; default `everysec`, which is what docker-compose.yml sets. */
  appendfsync?: 'always' | 'everysec'
  /** A folder that takes a CPU profile of each service. */
  profileFolder?: string | undefined
}

export async function startBench({
  appendfsync = 'everysec',
  profileFolder,
}: BenchOptions = {}): Promise<Bench> {
  const stack = new AsyncDisposableStack()
  const [rabbitmq, redis] = await Promise.all([
    startPrivateRabbitMq(),
    startPrivateRedis({ appendfsync }),
  ])
  stack.use(rabbitmq)
  stack.use(redis)
  return {
    amqpUrl: rabbitmq.amqpUrl,
    redisUrl: redis.redisUrl,
    async start(name, entry, env = {}) {
      const port = await freePort()
      const process = stack.use(
        await startProcess({
          name,
          entry,
          env: {
            AMQP_URL: rabbitmq.amqpUrl,
            REDIS_URL: redis.redisUrl,
            SIGNALBOX_NAMESPACE: NAMESPACE,
            SIGNALBOX_TOKEN_SECRET: TOKEN_SECRET,
            HOST: '127.0.0.1',
            PORT: String(port),
            LOG_LEVEL: 'warn',
            NODE_ENV: 'production',
            ...env,
            ...(profileFolder === undefined
              ? {}
              : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileFolder}` }),
          },
        }),
      )
      const url = `http://127.0.0.1:${port}`
      await process.waitForReady(url)
      return { url, process }
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

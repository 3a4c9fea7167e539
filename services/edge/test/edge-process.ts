/** An edge as a process of its own, to be killed. */
import { freePort, type RabbitMqLease, type RedisLease, startProcess } from '@signalbox/testkit'
import { TOKEN_SECRET } from './edge-bed.ts'

/** Ready when this resolves. Disposing it ends the process. */
export async function startEdgeProcess(
  rabbitMq: RabbitMqLease,
  redis: RedisLease,
  env: Readonly<Record<string, string>> = {},
) {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const edge = await startProcess({
    name: `edge ${port}`,
    entry: new URL('../src/main.ts', import.meta.url),
    env: {
      PORT: String(port),
      HOST: '127.0.0.1',
      LOG_LEVEL: 'warn',
      AMQP_URL: rabbitMq.amqpUrl,
      REDIS_URL: redis.redisUrl,
      SIGNALBOX_TOKEN_SECRET: TOKEN_SECRET,
      SIGNALBOX_NAMESPACE: redis.namespace,
      ...env,
    },
  })
  await edge.waitForReady(origin)
  return {
    edge,
    origin,
    /** Events that it has put into channels. */
    async relayed(): Promise<number> {
      const text = await (await fetch(`${origin}/metrics`)).text()
      return Number(/relayed_total\{outcome="append"\} (\d+)/.exec(text)?.[1] ?? 0)
    },
    [Symbol.asyncDispose]: () => edge[Symbol.asyncDispose](),
  }
}

import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { startNodeProcess } from '../src/node-process.ts'
import { isListening } from '../src/ports.ts'
import { startPrivateRedis } from '../src/private-redis.ts'
import { waitFor } from '../src/wait-for.ts'

const portOf = (redisUrl: string) => Number(new URL(redisUrl).port)

test('what was answered is there again after kill and start, and after stop and start', async () => {
  await using server = await startPrivateRedis()
  const { redisUrl } = server
  await withRedis(redisUrl, (redis) => redis.set('first', 'kept'))
  await server.kill()
  await expect(isListening(portOf(redisUrl))).resolves.toBe(false)

  await server.start()
  await expect(withRedis(redisUrl, (redis) => redis.get('first'))).resolves.toBe('kept')
  await withRedis(redisUrl, (redis) => redis.set('second', 'kept too'))
  await server.stop()
  await expect(isListening(portOf(redisUrl))).resolves.toBe(false)

  await server.start()
  const values = await withRedis(redisUrl, (redis) => redis.mget('first', 'second'))
  expect(values).toEqual(['kept', 'kept too'])
})

test('a paused server keeps its connections and answers when it goes on', async () => {
  await using server = await startPrivateRedis()
  await withRedis(server.redisUrl, async (redis) => {
    await redis.ping()
    server.pause()
    const answer = redis.ping()
    const outcome = await Promise.race([answer, delay(200, 'silence')])
    server.resume()
    expect(outcome).toBe('silence')
    await expect(answer).resolves.toBe('PONG')
  })
})

test('two private servers share nothing', async () => {
  await using first = await startPrivateRedis()
  await using second = await startPrivateRedis()
  await withRedis(first.redisUrl, (redis) => redis.set('key', 'value'))
  await expect(withRedis(second.redisUrl, (redis) => redis.get('key'))).resolves.toBeNull()
})

test.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)(
  'a server ends when its starter is ended by %s',
  async (signal) => {
    await using starter = await startNodeProcess({
      name: 'starter',
      entry: new URL('./fixtures/redis-starter.ts', import.meta.url),
      env: {},
    })
    const redisUrl = await waitFor(() => /redis:\S+/.exec(starter.output())?.[0], {
      what: 'the address of the Redis',
    })
    await expect(isListening(portOf(redisUrl))).resolves.toBe(true)
    starter.kill(signal)
    await waitFor(async () => !(await isListening(portOf(redisUrl))), { what: 'the Redis to end' })
  },
)

async function withRedis<T>(redisUrl: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(redisUrl, { retryStrategy: () => null })
  try {
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}

import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { leaseRedis, type RedisLease } from '../src/redis-lease.ts'

function connect({ redisUrl }: Pick<RedisLease, 'redisUrl'>, name = 'test'): Redis {
  return new Redis(redisUrl, { connectionName: name, retryStrategy: () => null })
}

test('one lease may neither read nor write the keys of another', async () => {
  await using first = await leaseRedis()
  await using second = await leaseRedis()
  const redis = connect(first)
  await redis.set(`${first.namespace}:greeting`, 'hello')
  await expect(redis.get(`${first.namespace}:greeting`)).resolves.toBe('hello')
  await expect(redis.get(`${second.namespace}:greeting`)).rejects.toThrow('NOPERM')
  await expect(redis.set(`${second.namespace}:greeting`, 'hello')).rejects.toThrow('NOPERM')
  await expect(redis.publish(`${second.namespace}:news`, 'hello')).rejects.toThrow('NOPERM')
  await redis.quit()
})

test('no lease may empty the server that others share', async () => {
  await using lease = await leaseRedis()
  const redis = connect(lease)
  await expect(redis.flushall()).rejects.toThrow('NOPERM')
  await expect(redis.flushdb()).rejects.toThrow('NOPERM')
  await redis.quit()
})

test('a released lease leaves no keys behind, and those of others alone', async () => {
  await using neighbour = await leaseRedis()
  const lease = await leaseRedis()
  const redis = connect(lease)
  const keys = Array.from({ length: 2_500 }, (_, index) => `{${lease.namespace}}:key:${index}`)
  await redis.mset(keys.flatMap((key) => [key, 'value']))
  await redis.quit()
  const other = connect(neighbour)
  await other.set(`${neighbour.namespace}:kept`, 'value')

  await lease.release()
  await lease.release()

  await expect(other.keys(`*${lease.namespace}*`)).resolves.toEqual([])
  await expect(other.exists(`${neighbour.namespace}:kept`)).resolves.toBe(1)
  await other.quit()
})

test('a subscription that a test leaves open fails the release by name, and is ended by it', async () => {
  const lease = await leaseRedis()
  const subscriber = connect(lease, 'forgotten')
  await subscriber.subscribe(`${lease.namespace}:news`)
  const ended = new Promise((resolve) => subscriber.once('end', resolve))
  await expect(lease.release()).rejects.toThrow(
    new RegExp(`Redis namespace ${lease.namespace} is released .*: .*name=forgotten.* sub=1`),
  )
  await ended
})

/** A key prefix of a test file's own, and a user who may touch nothing else. */
import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { createLease, type Lease, leaseName } from './lease.ts'
import { givenRedis } from './provisioning.ts'

export interface RedisLease extends Lease {
  /** As the lease's own user: only keys and pub/sub channels whose names contain `namespace` are allowed. */
  readonly redisUrl: string
  readonly namespace: string
}

/** From the server of this run. Releasing deletes the keys, and fails when a connection of the user is still open. */
export async function leaseRedis(): Promise<RedisLease> {
  const server = givenRedis(process.env)
  if (!server) {
    throw new Error('no Redis to lease from: run in the vitest project "integration" or "e2e"')
  }
  const namespace = leaseName()
  const password = randomBytes(16).toString('hex')
  const pattern = `*${namespace}*`
  await asAdministrator(server.redisUrl, (redis) =>
    redis.call(
      'ACL',
      'SETUSER',
      namespace,
      'on',
      `>${password}`,
      `~${pattern}`,
      `&${pattern}`,
      '+@all',
      ...['-flushall', '-flushdb', '-shutdown', '-acl'],
    ),
  )
  const redisUrl = new URL(server.redisUrl)
  redisUrl.username = namespace
  redisUrl.password = password

  const lease = createLease({
    what: `Redis namespace ${namespace}`,
    openConnections: () =>
      asAdministrator(server.redisUrl, async (redis) =>
        String(await redis.client('LIST'))
          .split('\n')
          .filter((client) => client.includes(` user=${namespace} `))
          .map(describeClient),
      ),
    remove: () =>
      asAdministrator(server.redisUrl, async (redis) => {
        await redis.call('ACL', 'DELUSER', namespace)
        await deleteKeys(redis, pattern)
      }),
  })
  return { ...lease, redisUrl: redisUrl.href, namespace }
}

async function asAdministrator<T>(redisUrl: string, work: (redis: Redis) => Promise<T>) {
  const redis = new Redis(redisUrl, {
    lazyConnect: true,
    connectTimeout: 5_000,
    commandTimeout: 5_000,
    retryStrategy: () => null,
  })
  try {
    await redis.connect()
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}

async function deleteKeys(redis: Redis, pattern: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: pattern, count: 1_000 })) {
    if (keys.length > 0) await redis.unlink(keys)
  }
}

/** `addr`, `name`, last command and subscriptions of a line of CLIENT LIST. */
function describeClient(line: string): string {
  return line
    .split(' ')
    .filter((field) => /^(addr|name|cmd|sub|psub)=/.test(field))
    .join(' ')
}

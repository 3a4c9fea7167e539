/** Who is connected where, in Redis: per account a hash from the edge to what it says, and a sorted set by which that lapses. */
import type { AccountPresence, PresenceStore } from '../ports.ts'
import { NOW_MS } from './clock.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'
import { pairsOf } from './page-script.ts'

/** KEYS: hash, sorted set. ARGV: edge, presence as JSON (empty: nobody is there), time to live in ms. */
const REPORT = `${NOW_MS}
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
  return
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[3]) end
`

/** Forgets what has lapsed; returns edges and what they say as a flat list. */
const READ = `${NOW_MS}
for _, lapsed in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
  redis.call('HDEL', KEYS[1], lapsed)
  redis.call('ZREM', KEYS[2], lapsed)
end
return redis.call('HGETALL', KEYS[1])
`

export function createRedisPresence(deps: {
  connection: RedisConnection
  keys: Keys
}): PresenceStore {
  const { connection } = deps
  const report = connection.script<null>('presenceReport', 2, REPORT)
  const read = connection.script<string[]>('presenceRead', 2, READ)
  const keysOf = (accountKey: string) => {
    const { edges, lapses } = deps.keys.presence(accountKey)
    return [edges, lapses]
  }

  return {
    async report(edgeId, accounts, ttlMs) {
      await Promise.all(
        [...accounts].map(([accountKey, presence]) => {
          const said = presence.connections === 0 ? '' : JSON.stringify(presence)
          return report(keysOf(accountKey), [edgeId, said, ttlMs])
        }),
      )
    },

    async read(accountKey) {
      const flat = await read(keysOf(accountKey), [])
      return new Map(
        pairsOf(flat).map(([edgeId, said]) => [edgeId, JSON.parse(said) as AccountPresence]),
      )
    },
  }
}

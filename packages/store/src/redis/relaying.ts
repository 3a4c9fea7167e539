/** What the edges' relays agree on, in Redis. Times are those of Redis, so clocks need not agree. */
import { checkAccountKey } from '../input.ts'
import type { ChannelInterest, RelayRoster } from '../ports.ts'
import { NOW_MS } from './clock.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'
import { pairsOf } from './page-script.ts'

/** KEYS: the marks by the time at which they lapse, the confirmed ones. ARGV: account, time to live in ms. */
const KEEP = `${NOW_MS}
redis.call('ZADD', KEYS[1], 'GT', now + ARGV[2], ARGV[1])
return redis.call('SISMEMBER', KEYS[2], ARGV[1])
`

const CONFIRM = `
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then redis.call('SADD', KEYS[2], ARGV[1]) end
`

/** Returns the marks and when they lapse as a flat list, and the time. */
const LIST = `${NOW_MS}
return { redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES'), string.format('%.0f', now) }
`

const LAPSE = `${NOW_MS}
local lapsesAt = redis.call('ZSCORE', KEYS[1], ARGV[1])
if lapsesAt and tonumber(lapsesAt) > now then return 0 end
redis.call('SREM', KEYS[2], ARGV[1])
return 1
`

const END = `${NOW_MS}
local lapsesAt = redis.call('ZSCORE', KEYS[1], ARGV[1])
if lapsesAt and tonumber(lapsesAt) > now then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('SREM', KEYS[2], ARGV[1])
return 1
`

/** KEYS: the relays by the time at which they are gone, and by that at which they came. ARGV: relay, time to live in ms. */
const ANNOUNCE = `${NOW_MS}
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))) do
  redis.call('ZREM', KEYS[1], gone)
  redis.call('ZREM', KEYS[2], gone)
end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[2], 'NX', now, ARGV[1])
return redis.call('ZRANGE', KEYS[2], 0, -1)
`

export function createRedisInterest(deps: {
  connection: RedisConnection
  keys: Keys
}): ChannelInterest {
  const { connection } = deps
  const { marks, confirmed } = deps.keys.interest
  const both = [marks, confirmed]
  const keep = connection.script<number>('interestKeep', 2, KEEP)
  const confirm = connection.script<null>('interestConfirm', 2, CONFIRM)
  const list = connection.script<[marks: string[], nowMs: string]>('interestList', 2, LIST)
  const lapse = connection.script<number>('interestLapse', 2, LAPSE)
  const end = connection.script<number>('interestEnd', 2, END)

  return {
    async keep(accountKey, ttlMs) {
      return { isConfirmed: (await keep(both, [checkAccountKey(accountKey), ttlMs])) === 1 }
    },

    async confirm(accountKey) {
      await confirm(both, [checkAccountKey(accountKey)])
    },

    async among(accountKeys) {
      if (accountKeys.length === 0) return new Set()
      const scores = await connection.run((redis) => redis.zmscore(marks, ...accountKeys))
      return new Set(accountKeys.filter((_, index) => scores[index] !== null))
    },

    async list() {
      const [all, nowMs] = await list(both, [])
      return pairsOf(all).map(([accountKey, lapsesAtMs]) => ({
        accountKey,
        isLapsed: Number(lapsesAtMs) <= Number(nowMs),
      }))
    },

    async lapse(accountKey) {
      return (await lapse(both, [checkAccountKey(accountKey)])) === 1
    },

    async end(accountKey) {
      return (await end(both, [checkAccountKey(accountKey)])) === 1
    },
  }
}

export function createRedisRoster(deps: { connection: RedisConnection; keys: Keys }): RelayRoster {
  const { connection } = deps
  const { goneAt, since } = deps.keys.relays
  const announce = connection.script<string[]>('relayAnnounce', 2, ANNOUNCE)

  return {
    async announce(relayId, ttlMs) {
      return announce([goneAt, since], [relayId, ttlMs])
    },

    async leave(relayId) {
      await connection.run((redis) =>
        Promise.all([redis.zrem(goneAt, relayId), redis.zrem(since, relayId)]),
      )
    },
  }
}

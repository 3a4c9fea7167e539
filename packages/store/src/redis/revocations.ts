/** Revoked tokens in Redis: per account a hash from what is revoked to `<when> <until when>`, and a sorted set by which it is forgotten. */
import { checkAccountKey } from '../input.ts'
import type { Revocation, RevocationStore } from '../ports.ts'
import { MAX_REVOCATIONS, markOf, revokes, targetsOf, tooManyRevocations } from '../revocations.ts'
import { NOW_MS } from './clock.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'
import type { Subscriptions } from './subscriptions.ts'

/** ARGV: mark, time to live in ms, most marks. Returns when it was revoked, or an empty text when there is no room. */
const REVOKE = `${NOW_MS}
for _, lapsed in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
  redis.call('HDEL', KEYS[1], lapsed)
  redis.call('ZREM', KEYS[2], lapsed)
end
local known = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not known and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[3]) then return '' end
redis.call('ZADD', KEYS[2], 'GT', now + ARGV[2], ARGV[1])
local lapse = redis.call('ZSCORE', KEYS[2], ARGV[1])
local at = string.format('%.0f', now)
redis.call('HSET', KEYS[1], ARGV[1], at .. ' ' .. string.format('%.0f', lapse))
local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2]
for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, string.format('%.0f', last)) end
return at
`

export function createRedisRevocations(deps: {
  connection: RedisConnection
  keys: Keys
  subscriptions: Subscriptions
}): RevocationStore {
  const { connection, keys, subscriptions } = deps
  const revoke = connection.script<string>('revoke', 2, REVOKE)

  return {
    async revoke(accountKey, target, ttlMs) {
      const { marks, lapses } = keys.revocations(accountKey)
      const at = await revoke([marks, lapses], [markOf(target), ttlMs, MAX_REVOCATIONS])
      if (at === '') throw tooManyRevocations()
      const revocation: Revocation = { accountKey, target, atMs: Number(at) }
      await connection.run((redis) => redis.publish(keys.revoked, JSON.stringify(revocation)))
    },

    async areRevoked(accountKey, tokens) {
      const { marks } = keys.revocations(checkAccountKey(accountKey))
      const targets = tokens.map(targetsOf)
      const asked = [...new Set(targets.flat().map(markOf))]
      if (asked.length === 0) return tokens.map(() => false)
      const values = await connection.run((redis) => redis.hmget(marks, ...asked))
      const nowMs = Date.now()
      const revokedAtMs = new Map<string, number>()
      for (const [index, value] of values.entries()) {
        const [at, until] = (value ?? '').split(' ')
        if (Number(until) > nowMs) revokedAtMs.set(asked[index]!, Number(at))
      }
      return tokens.map((token, index) =>
        targets[index]!.some((target) => {
          const atMs = revokedAtMs.get(markOf(target))
          return atMs !== undefined && revokes({ target, atMs }, token)
        }),
      )
    },

    onRevoke(listener, onLost) {
      return subscriptions.subscribe(
        keys.revoked,
        (message) => listener(JSON.parse(message) as Revocation),
        onLost,
      )
    },
  }
}

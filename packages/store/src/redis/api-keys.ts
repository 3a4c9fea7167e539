/** API keys in Redis: a hash per account, key_id to JSON. */
import type { ApiKey } from '@signalbox/contracts'
import { tooMany } from '../conflicts.ts'
import type { ApiKeyStore } from '../ports.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'

interface KeptApiKey {
  key: ApiKey
  secretHash: string
}

/** ARGV: key_id, value, the most keys. Returns 0 when it would be one too many. */
const CREATE = `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
`

export function createRedisApiKeys(
  { maxApiKeys }: { maxApiKeys: number },
  deps: { connection: RedisConnection; keys: Keys },
): ApiKeyStore {
  const { connection, keys } = deps
  const createScript = connection.script<number>('apiKeyCreate', 1, CREATE)

  return {
    async create(accountKey, key, secretHash) {
      const kept: KeptApiKey = { key, secretHash }
      const args = [key.key_id, JSON.stringify(kept), maxApiKeys]
      const isKept = await createScript([keys.apiKeys(accountKey)], args)
      if (isKept === 0) throw tooMany('API keys', maxApiKeys)
    },

    async find(accountKey, keyId) {
      const apiKeys = keys.apiKeys(accountKey)
      const text = await connection.run((redis) => redis.hget(apiKeys, keyId))
      return text === null ? undefined : (JSON.parse(text) as KeptApiKey)
    },

    async list(accountKey) {
      const apiKeys = keys.apiKeys(accountKey)
      const texts = await connection.run((redis) => redis.hvals(apiKeys))
      return texts
        .map((text) => (JSON.parse(text) as KeptApiKey).key)
        .sort((a, b) => (a.key_id < b.key_id ? -1 : 1))
    },

    async delete(accountKey, keyId) {
      const apiKeys = keys.apiKeys(accountKey)
      return (await connection.run((redis) => redis.hdel(apiKeys, keyId))) === 1
    },
  }
}

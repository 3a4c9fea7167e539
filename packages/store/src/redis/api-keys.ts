/** API keys in Redis: a hash per account, key_id to JSON. */
import type { ApiKey } from '@signalbox/contracts'
import type { ApiKeyStore } from '../ports.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'

interface KeptApiKey {
  key: ApiKey
  secretHash: string
}

export function createRedisApiKeys(deps: { connection: RedisConnection; keys: Keys }): ApiKeyStore {
  const { connection, keys } = deps

  return {
    async create(accountKey, key, secretHash) {
      const kept: KeptApiKey = { key, secretHash }
      const apiKeys = keys.apiKeys(accountKey)
      await connection.run((redis) => redis.hset(apiKeys, key.key_id, JSON.stringify(kept)))
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

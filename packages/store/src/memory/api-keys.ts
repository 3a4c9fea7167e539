/** API keys in memory. */
import type { ApiKey } from '@signalbox/contracts'
import { tooMany } from '../conflicts.ts'
import type { ApiKeyStore } from '../ports.ts'
import { Accounts, type MemoryLifetime } from './accounts.ts'
import { SortedMap } from './sorted-map.ts'

export function createMemoryApiKeys(
  { maxApiKeys }: { maxApiKeys: number },
  { lifetime }: { lifetime: MemoryLifetime },
): ApiKeyStore {
  const accounts = new Accounts(lifetime, () => new SortedMap<string>())

  return {
    async create(accountKey, key, secretHash) {
      const apiKeys = accounts.of(accountKey)
      if (apiKeys.get(key.key_id) === undefined && apiKeys.size >= maxApiKeys) {
        throw tooMany('API keys', maxApiKeys)
      }
      apiKeys.set(key.key_id, JSON.stringify({ key, secretHash }))
    },

    async find(accountKey, keyId) {
      const text = accounts.of(accountKey).get(keyId)
      return text === undefined ? undefined : parse(text)
    },

    async list(accountKey) {
      return accounts
        .of(accountKey)
        .entriesAfter(undefined, Number.POSITIVE_INFINITY)
        .map(([, text]) => parse(text).key)
    },

    async delete(accountKey, keyId) {
      return accounts.of(accountKey).delete(keyId)
    },
  }
}

function parse(text: string): { key: ApiKey; secretHash: string } {
  return JSON.parse(text) as { key: ApiKey; secretHash: string }
}

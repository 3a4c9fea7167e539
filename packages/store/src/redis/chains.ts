/**
 * Chains in Redis. A chain is kept as `<version> <updated_at> <chain as JSON>`, so that a script can count the version without reading
 * the JSON: Lua's cjson does not keep empty arrays, nulls and large numbers as they are.
 */
import type { Chain, StoredChain } from '@signalbox/contracts'
import { defaultChainConflict, isEnabledDefault, tooMany } from '../conflicts.ts'
import { checkLimit, checkPage, checkPosition } from '../input.ts'
import { pageOf } from '../paging.ts'
import type { ChainStore } from '../ports.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'
import { definePageScript } from './page-script.ts'
import type { Subscriptions } from './subscriptions.ts'

const MAX_CHANGES = 1_000

/**
 * ARGV: chain_id, `1` when it is an enabled default, the rest of the value, account_key, pub/sub channel, the most chains. Returns the
 * version, or 0 and the chain that is the default already, or -1: there are as many as may be.
 */
const PUT = `
local current = redis.call('HGET', KEYS[1], ARGV[1])
if not current and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[6]) then return { -1, '' } end
local default = redis.call('HGET', KEYS[5], 'default')
if ARGV[2] == '1' then
  if default and default ~= ARGV[1] then return { 0, default } end
  redis.call('HSET', KEYS[5], 'default', ARGV[1])
elseif default == ARGV[1] then
  redis.call('HDEL', KEYS[5], 'default')
end
local version = 1
if current then version = tonumber(string.match(current, '^%d+')) + 1 end
redis.call('HSET', KEYS[1], ARGV[1], version .. ' ' .. ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('ZADD', KEYS[3], redis.call('HINCRBY', KEYS[5], 'revision', 1), ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('PUBLISH', ARGV[5], ARGV[4])
return { version, '' }
`

/** ARGV: chain_id, deleted chains to remember, account_key, pub/sub channel. */
const DELETE = `
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
if redis.call('HGET', KEYS[5], 'default') == ARGV[1] then redis.call('HDEL', KEYS[5], 'default') end
redis.call('ZREM', KEYS[2], ARGV[1])
local revision = redis.call('HINCRBY', KEYS[5], 'revision', 1)
redis.call('ZADD', KEYS[3], revision, ARGV[1])
redis.call('ZADD', KEYS[4], revision, ARGV[1])
if redis.call('ZCARD', KEYS[4]) > tonumber(ARGV[2]) then
  local oldest = redis.call('ZPOPMIN', KEYS[4])
  redis.call('ZREM', KEYS[3], oldest[1])
  redis.call('HSET', KEYS[5], 'floor', oldest[2])
end
redis.call('PUBLISH', ARGV[4], ARGV[3])
return 1
`

/** ARGV: revision, limit + 1. Returns the current revision, whether to start over, then chain, revision and value of each change. */
const CHANGES_SINCE = `
local since = tonumber(ARGV[1])
local revision = tonumber(redis.call('HGET', KEYS[3], 'revision') or '0')
local floor = tonumber(redis.call('HGET', KEYS[3], 'floor') or '0')
if (since > 0 and since < floor) or since > revision then return { revision, 1 } end
local changes = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
local reply = { revision, 0 }
for i = 1, #changes, 2 do
  reply[#reply + 1] = changes[i]
  reply[#reply + 1] = tonumber(changes[i + 1])
  reply[#reply + 1] = redis.call('HGET', KEYS[1], changes[i])
end
return reply
`

type Change = [chainId: string, revision: number, value: string | null]

export function createRedisChains(
  options: { maxDeletedChains: number; maxChains: number },
  deps: { connection: RedisConnection; keys: Keys; subscriptions: Subscriptions },
): ChainStore {
  const { connection, keys, subscriptions } = deps
  const putScript = connection.script<[number, string]>('chainPut', 5, PUT)
  const deleteScript = connection.script<number>('chainDelete', 5, DELETE)
  const changesScript = connection.script<[number, number, ...Change[number][]]>(
    'chainChangesSince',
    3,
    CHANGES_SINCE,
  )
  const pageScript = definePageScript(connection, 'chainPage')
  const written = (accountKey: string) => {
    const { chains, ids, changes, deleted, state } = keys.chains(accountKey)
    return [chains, ids, changes, deleted, state]
  }

  return {
    async put(accountKey, chainId, chain) {
      const rest = `${new Date().toISOString()} ${JSON.stringify(chain)}`
      const isDefault = isEnabledDefault(chain) ? 1 : 0
      const { maxChains } = options
      const args = [chainId, isDefault, rest, accountKey, keys.chainsChanged, maxChains]
      const [version, defaultChainId] = await putScript(written(accountKey), args)
      if (version === -1) throw tooMany('chains', maxChains)
      if (version === 0) throw defaultChainConflict(chainId, defaultChainId)
      return chainOf(`${version} ${rest}`, chainId)
    },

    async get(accountKey, chainId) {
      const { chains } = keys.chains(accountKey)
      const value = await connection.run((redis) => redis.hget(chains, chainId))
      return value === null ? undefined : chainOf(value, chainId)
    },

    async delete(accountKey, chainId) {
      const args = [chainId, options.maxDeletedChains, accountKey, keys.chainsChanged]
      return (await deleteScript(written(accountKey), args)) === 1
    },

    async list(accountKey, pageOptions) {
      const { ids, chains } = keys.chains(accountKey)
      const { limit, after } = checkPage('chains', pageOptions)
      return pageOf('chains', limit, await pageScript(ids, chains, after, limit + 1), chainOf)
    },

    async revision(accountKey) {
      const { state } = keys.chains(accountKey)
      return Number((await connection.run((redis) => redis.hget(state, 'revision'))) ?? 0)
    },

    async changesSince(accountKey, since, limit = MAX_CHANGES) {
      const { chains, changes, state } = keys.chains(accountKey)
      checkPosition(since, 'revision')
      checkLimit(limit)
      const reply = await changesScript([chains, changes, state], [since, limit + 1])
      const [revision, isRestart, ...flat] = reply
      if (isRestart) return { revision, changed: [], deleted: [], more: false, restart: true }
      const rows = changesOf(flat)
      const shown = rows.slice(0, limit)
      const more = rows.length > limit
      return {
        revision: more ? shown.at(-1)![1] : revision,
        changed: shown.flatMap(([chainId, , value]) =>
          value === null ? [] : [chainOf(value, chainId)],
        ),
        deleted: shown.flatMap(([chainId, , value]) => (value === null ? [chainId] : [])),
        more,
      }
    },

    onChange(listener) {
      return subscriptions.subscribe(keys.chainsChanged, listener)
    },
  }
}

function changesOf(flat: readonly Change[number][]): Change[] {
  const changes: Change[] = []
  for (let index = 0; index < flat.length; index += 3) {
    changes.push(flat.slice(index, index + 3) as Change)
  }
  return changes
}

function chainOf(value: string, chainId: string): StoredChain {
  const [version = '', updatedAt = ''] = value.split(' ', 2)
  const json = value.slice(version.length + updatedAt.length + 2)
  const chain = JSON.parse(json) as Chain
  return { ...chain, chain_id: chainId, version: Number(version), updated_at: updatedAt }
}

/** Listeners in Redis: a hash per account, listener_id to `<version> <listener and sealed secrets as JSON>`. */
import { listenerExistsConflict, tooMany } from '../conflicts.ts'
import { checkPage } from '../input.ts'
import { pageOf } from '../paging.ts'
import type { KeptListener, ListenerStore } from '../ports.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'
import { definePageScript } from './page-script.ts'
import type { Subscriptions } from './subscriptions.ts'

/** ARGV: listener_id, JSON, how many there may be, pub/sub channel, what is told. Returns 1, or why not: 0 there is one, -1 too many. */
const CREATE = `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 0 end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return -1 end
redis.call('HSET', KEYS[1], ARGV[1], '1 ' .. ARGV[2])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
`

/** ARGV: listener_id, JSON, the version that it must have, pub/sub channel, what is told. Returns whether it had it. */
const REPLACE = `
local kept = redis.call('HGET', KEYS[1], ARGV[1])
if not kept or string.match(kept, '^%d+') ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], (ARGV[3] + 1) .. ' ' .. ARGV[2])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
`

/** ARGV: listener_id, pub/sub channel, what is told. */
const DELETE = `
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
`

export function createRedisListeners(
  { maxListeners }: { maxListeners: number },
  deps: { connection: RedisConnection; keys: Keys; subscriptions: Subscriptions },
): ListenerStore {
  const { connection, keys, subscriptions } = deps
  const createScript = connection.script<number>('listenerCreate', 2, CREATE)
  const replaceScript = connection.script<number>('listenerReplace', 1, REPLACE)
  const deleteScript = connection.script<number>('listenerDelete', 2, DELETE)
  const pageScript = definePageScript(connection, 'listenerPage')
  const told = (accountKey: string, listenerId: string) => [
    keys.listenersChanged,
    `${accountKey} ${listenerId}`,
  ]
  const read = async (accountKey: string, listenerId: string) => {
    const { listeners } = keys.listeners(accountKey)
    const text = await connection.run((redis) => redis.hget(listeners, listenerId))
    return text === null ? undefined : keptOf(text)
  }

  return {
    async create(accountKey, listener, secrets) {
      const { listeners, ids } = keys.listeners(accountKey)
      const id = listener.listener_id
      const json = JSON.stringify({ listener, secrets })
      const args = [id, json, maxListeners, ...told(accountKey, id)]
      const created = await createScript([listeners, ids], args)
      if (created === 0) throw listenerExistsConflict(id)
      if (created === -1) throw tooMany('listeners', maxListeners)
      return keptOf(`1 ${json}`)
    },

    get: read,

    async update(accountKey, listenerId, change) {
      const { listeners } = keys.listeners(accountKey)
      for (;;) {
        const kept = await read(accountKey, listenerId)
        if (!kept) return undefined
        const { version } = kept.listener
        const next = change(kept)
        if (next === kept) return kept
        const json = JSON.stringify(next)
        const args = [listenerId, json, version, ...told(accountKey, listenerId)]
        if ((await replaceScript([listeners], args)) === 1) return keptOf(`${version + 1} ${json}`)
      }
    },

    async delete(accountKey, listenerId) {
      const { listeners, ids } = keys.listeners(accountKey)
      const args = [listenerId, ...told(accountKey, listenerId)]
      return (await deleteScript([listeners, ids], args)) === 1
    },

    async list(accountKey, options) {
      const { listeners, ids } = keys.listeners(accountKey)
      const { limit, after } = checkPage('listeners', options)
      const rows = await pageScript(ids, listeners, after, limit + 1)
      return pageOf('listeners', limit, rows, keptOf)
    },

    onChange(hear) {
      return subscriptions.subscribe(keys.listenersChanged, (message) => {
        const [accountKey = '', listenerId = ''] = message.split(' ', 2)
        hear({ accountKey, listenerId })
      })
    },
  }
}

function keptOf(text: string): KeptListener {
  const space = text.indexOf(' ')
  const { listener, secrets } = JSON.parse(text.slice(space + 1)) as KeptListener
  return { listener: { ...listener, version: Number(text.slice(0, space)) }, secrets }
}

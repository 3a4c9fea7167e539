/** The handler catalog in Redis. Times are those of Redis, so workers' clocks need not agree. */
import type { CatalogEntry, HandlerDescription } from '@signalbox/contracts'
import type { HandlerCatalog } from '../ports.ts'
import { NOW_MS } from './clock.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'
import { pairsOf } from './page-script.ts'

/** ARGV: name, description, worker, time to live in ms. */
const REGISTER = `${NOW_MS}
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSETNX', KEYS[2], ARGV[1], now)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
redis.call('ZADD', KEYS[3], now + ARGV[4], ARGV[3])
`

/** ARGV: name; empty: all. Returns name and description, name and registration, worker and end, each as a flat list. */
const READ = `${NOW_MS}
local descriptions, registered = {}, {}
if ARGV[1] == '' then
  descriptions = redis.call('HGETALL', KEYS[1])
  registered = redis.call('HGETALL', KEYS[2])
else
  local description = redis.call('HGET', KEYS[1], ARGV[1])
  if not description then return { {}, {}, {} } end
  descriptions = { ARGV[1], description }
  registered = { ARGV[1], redis.call('HGET', KEYS[2], ARGV[1]) }
end
return { descriptions, registered, redis.call('ZRANGEBYSCORE', KEYS[3], string.format('(%.0f', now), '+inf', 'WITHSCORES') }
`

/** ARGV: name, the prefix of its workers. */
const REMOVE = `
redis.call('HDEL', KEYS[2], ARGV[1])
for _, worker in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
  if string.sub(worker, 1, #ARGV[2]) == ARGV[2] then redis.call('ZREM', KEYS[3], worker) end
end
return redis.call('HDEL', KEYS[1], ARGV[1])
`

export function createRedisCatalog(deps: {
  connection: RedisConnection
  keys: Keys
}): HandlerCatalog {
  const { connection } = deps
  const { descriptions, registeredAt, workers } = deps.keys.catalog
  const all = [descriptions, registeredAt, workers]
  const register = connection.script<null>('catalogRegister', 3, REGISTER)
  const readScript = connection.script<[string[], string[], string[]]>('catalogRead', 3, READ)
  const remove = connection.script<number>('catalogRemove', 3, REMOVE)

  const read = async (name: string): Promise<CatalogEntry[]> => {
    const [known, registered, live] = await readScript(all, [name])
    const registeredMs = new Map(pairsOf(registered))
    return pairsOf(known)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([handler, description]) => ({
        ...(JSON.parse(description) as HandlerDescription),
        workers: workersOf(handler, live),
        registered_at: isoOf(registeredMs.get(handler) ?? 0),
      }))
  }

  return {
    async register(description, { workerId, ttlMs }) {
      const { name } = description
      await register(all, [name, JSON.stringify(description), memberOf(name, workerId), ttlMs])
    },

    async unregister(name, workerId) {
      await connection.run((redis) => redis.zrem(workers, memberOf(name, workerId)))
    },

    async get(name) {
      const [entry] = name === '' ? [] : await read(name)
      return entry
    },

    list() {
      return read('')
    },

    async remove(name) {
      return (await remove(all, [name, memberOf(name, '')])) === 1
    },
  }
}

/** A handler's name has no colon. */
function memberOf(name: string, workerId: string): string {
  return `${name}:${workerId}`
}

function workersOf(handler: string, live: readonly string[]): CatalogEntry['workers'] {
  const prefix = memberOf(handler, '')
  return pairsOf(live)
    .filter(([member]) => member.startsWith(prefix))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([member, expiresAtMs]) => ({
      worker_id: member.slice(prefix.length),
      expires_at: isoOf(expiresAtMs),
    }))
}

function isoOf(unixMs: string | number): string {
  return new Date(Number(unixMs)).toISOString()
}

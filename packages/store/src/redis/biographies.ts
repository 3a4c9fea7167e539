/** Biographies in Redis, read; `chronicle.ts` writes them, and says how they are kept. */
import { type BiographyFact, biographyOf, eventSummaryOf } from '@signalbox/contracts'
import { MAX_SCANNED_BIOGRAPHIES } from '../bounds.ts'
import { factIdOf, matchesFilter } from '../facts.ts'
import { checkPage, cursorOf } from '../input.ts'
import type { BiographyStore } from '../ports.ts'
import { type Chronicle, FORGET_BIOGRAPHIES as FORGET } from './chronicle.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'
import { pairsOf } from './page-script.ts'

const CHUNK_SIZE = 100
/** In a cursor: the time and the event_id of the last event looked at. */
const POSITION = /^\d+ ./

/** ARGV: … the time and event_id after which to begin (empty: at the newest), how many. */
const NEWEST = `${FORGET}
local start = 0
if ARGV[3] ~= '' then
  local rank = redis.call('ZREVRANK', KEYS[1], ARGV[4])
  if rank then start = rank + 1 else start = redis.call('ZCOUNT', KEYS[1], ARGV[3], '+inf') end
end
return { excess, redis.call('ZREVRANGE', KEYS[1], start, start + ARGV[5] - 1, 'WITHSCORES') }
`

const COUNT = `${FORGET}
return { excess, redis.call('GET', KEYS[2]) or '0' }
`

export function createRedisBiographies(
  options: { maxBiographies: number; biographyTtlMs: number },
  deps: { connection: RedisConnection; keys: Keys; chronicle: Chronicle },
): BiographyStore {
  const { connection, keys, chronicle } = deps
  const bounds = [options.biographyTtlMs, options.maxBiographies]
  const newestScript = connection.script<[string[], string[]]>('biographyNewest', 2, NEWEST)
  const countScript = connection.script<[string[], string]>('biographyCount', 2, COUNT)

  const indexOf = (accountKey: string) => {
    const { events, forgotten } = keys.biographies(accountKey)
    return [events, forgotten]
  }
  const read = async (accountKey: string, eventId: string) => {
    const key = keys.biography(accountKey, eventId)
    return biographyOf(factsOf(await connection.run((redis) => redis.lrange(key, 0, -1))))
  }
  const newest = async (accountKey: string, after: string, count: number) => {
    const [time = '', eventId = ''] = after.split(' ', 2)
    const args = [...bounds, time, eventId, count]
    const [excess, flat] = await newestScript(indexOf(accountKey), args)
    chronicle.dropFacts(accountKey, excess)
    return pairsOf(flat)
  }

  return {
    async record(entries) {
      await Promise.all(
        entries.map(({ accountKey, ...entry }) => chronicle.write(accountKey, entry)),
      )
    },

    get: read,

    async list(accountKey, filter, pageOptions) {
      const { limit, after = '' } = checkPage('events', pageOptions, POSITION)
      const items = []
      let position = after
      for (let scanned = 0; scanned < MAX_SCANNED_BIOGRAPHIES; scanned += CHUNK_SIZE) {
        const chunk = await newest(accountKey, position, CHUNK_SIZE)
        const found = await Promise.all(chunk.map(([eventId]) => read(accountKey, eventId)))
        for (const [index, [eventId, time]] of chunk.entries()) {
          if (items.length === limit) return { items, next: cursorOf('events', position) }
          position = `${time} ${eventId}`
          const biography = found[index]
          const summary = biography && eventSummaryOf(biography)
          if (summary && matchesFilter(summary, filter)) items.push(summary)
        }
        if (chunk.length < CHUNK_SIZE) return { items }
      }
      return { items, next: cursorOf('events', position) }
    },

    async forgotten(accountKey) {
      const [excess, count] = await countScript(indexOf(accountKey), bounds)
      chronicle.dropFacts(accountKey, excess)
      return Number(count)
    },
  }
}

/** In the order in which they were told; of those that say the same, the first. */
function factsOf(values: readonly string[]): BiographyFact[] {
  const facts = new Map<string, BiographyFact>()
  for (const fact of values.flatMap((value) => JSON.parse(value) as BiographyFact[])) {
    const id = factIdOf(fact)
    if (!facts.has(id)) facts.set(id, fact)
  }
  return [...facts.values()]
}

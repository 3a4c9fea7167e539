/**
 * Biographies in Redis: a hash of facts per event, and an index of the account's events by the time (of Redis, in microseconds) at which
 * their `received` fact was recorded. A fact is kept as `<its number> <fact as JSON>` under its identity.
 *
 * Facts without a `received` fact are not in the index, and live for an hour only: it comes late, or the event was forgotten.
 */
import { type BiographyFact, biographyOf, eventSummaryOf } from '@signalbox/contracts'
import { MAX_SCANNED_BIOGRAPHIES, ORPHAN_FACTS_TTL_MS } from '../bounds.ts'
import { factIdOf, matchesFilter } from '../facts.ts'
import { checkPage, cursorOf } from '../input.ts'
import type { BiographyEntry, BiographyStore } from '../ports.ts'
import type { RedisConnection } from './connection.ts'
import { gathered } from './gathering.ts'
import type { Keys } from './keys.ts'
import { pairsOf } from './page-script.ts'

const CHUNK_SIZE = 100
/** In a cursor: the time and the event_id of the last event looked at. */
const POSITION = /^\d+ ./

/** KEYS: the index, the count of the forgotten. ARGV: ms to keep, biographies to keep. Leaves what fell off in `excess`. */
const FORGET = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local expired = redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1] * 1000)
local count = math.min(redis.call('ZCARD', KEYS[1]) - ARGV[2], 1000)
local excess = {}
if count > 0 then
  local popped = redis.call('ZPOPMIN', KEYS[1], count)
  for i = 1, #popped, 2 do excess[#excess + 1] = popped[i] end
end
if expired + #excess > 0 then redis.call('INCRBY', KEYS[2], expired + #excess) end
`

/**
 * KEYS[3] and on: the facts of each event. ARGV[3]: ms to keep facts without an event, then of each event its event_id, `1` when
 * received, how many facts, and identity and fact each. Events that are received together keep their order, a microsecond apart.
 */
const RECORD = `
local time = redis.call('TIME')
local received = time[1] * 1000000 + time[2]
local at = 4
for k = 3, #KEYS do
  local first, last = at + 3, at + 2 + 2 * ARGV[at + 2]
  local number = redis.call('HLEN', KEYS[k])
  for i = first, last, 2 do
    number = number + redis.call('HSETNX', KEYS[k], ARGV[i], number .. ' ' .. ARGV[i + 1])
  end
  if ARGV[at + 1] == '1' and redis.call('ZADD', KEYS[1], 'NX', received + k - 3, ARGV[at]) == 1 then
    redis.call('PEXPIRE', KEYS[k], ARGV[1])
  elseif redis.call('PTTL', KEYS[k]) < 0 then
    redis.call('PEXPIRE', KEYS[k], ARGV[3])
  end
  at = last + 1
end
${FORGET}
return excess
`

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
  deps: { connection: RedisConnection; keys: Keys },
): BiographyStore {
  const { connection, keys } = deps
  const bounds = [options.biographyTtlMs, options.maxBiographies]
  const orphanTtlMs = Math.min(options.biographyTtlMs, ORPHAN_FACTS_TTL_MS)
  const recordScript = connection.script<string[]>('biographyRecord', 'any', RECORD)
  const newestScript = connection.script<[string[], string[]]>('biographyNewest', 2, NEWEST)
  const countScript = connection.script<[string[], string]>('biographyCount', 2, COUNT)

  const indexOf = (accountKey: string) => {
    const { events, forgotten } = keys.biographies(accountKey)
    return [events, forgotten]
  }
  const read = async (accountKey: string, eventId: string) => {
    const key = keys.facts(accountKey, eventId)
    return biographyOf(factsOf(await connection.run((redis) => redis.hvals(key))))
  }
  const dropFacts = async (accountKey: string, eventIds: readonly string[]) => {
    if (eventIds.length === 0) return
    const facts = eventIds.map((eventId) => keys.facts(accountKey, eventId))
    await connection.run((redis) => redis.unlink(...facts))
  }
  const recordEntry = gathered<BiographyEntry, void>(async (accountKey, entries) => {
    const excess = await recordScript(
      [...indexOf(accountKey), ...entries.map(({ eventId }) => keys.facts(accountKey, eventId))],
      [...bounds, orphanTtlMs, ...entries.flatMap(argumentsOf)],
    )
    await dropFacts(accountKey, excess)
    return []
  })
  const newest = async (accountKey: string, after: string, count: number) => {
    const [time = '', eventId = ''] = after.split(' ', 2)
    const args = [...bounds, time, eventId, count]
    const [excess, flat] = await newestScript(indexOf(accountKey), args)
    await dropFacts(accountKey, excess)
    return pairsOf(flat)
  }

  return {
    async record(entries) {
      await Promise.all(entries.map((entry) => recordEntry(entry.accountKey, entry)))
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
      await dropFacts(accountKey, excess)
      return Number(count)
    },
  }
}

/** An entry as the script takes it. */
function argumentsOf({ eventId, facts }: BiographyEntry): (string | number)[] {
  const isReceived = facts.some((fact) => fact.fact === 'received') ? 1 : 0
  const texts = facts.flatMap((fact) => [factIdOf(fact), JSON.stringify(fact)])
  return [eventId, isReceived, facts.length, ...texts]
}

/** In the order in which they were learned. */
function factsOf(values: readonly string[]): BiographyFact[] {
  return values
    .map((value) => {
      const space = value.indexOf(' ')
      return { number: Number(value.slice(0, space)), json: value.slice(space + 1) }
    })
    .sort((a, b) => a.number - b.number)
    .map(({ json }) => JSON.parse(json) as BiographyFact)
}

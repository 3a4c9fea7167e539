/**
 * Dead letters in Redis: an index of the account's letters by the time (of Redis, in microseconds) at which they were kept, a hash of
 * their summaries (`<revision> <summary as JSON>`), and each body by itself, so that a listing reads none.
 */
import type { DeadLetterSummary } from '@signalbox/contracts'
import { MAX_SCANNED_DEAD_LETTERS } from '../bounds.ts'
import { createGrouping, firstSummary, isAskedFor, repeated, withBody } from '../dead-letters.ts'
import { checkPage, cursorOf } from '../input.ts'
import type { DeadLetterStore } from '../ports.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'

const CHUNK_SIZE = 500
/** In a cursor: the time and the id of the last letter looked at. */
const POSITION = /^\d+ ./

/** KEYS: the index, the summaries, the count of the forgotten. ARGV: ms to keep, letters to keep. Leaves what fell off in `gone`. */
const FORGET = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1] * 1000, 'LIMIT', 0, 1000)
if #gone == 0 then
  local count = math.min(redis.call('ZCARD', KEYS[1]) - ARGV[2], 1000)
  if count > 0 then gone = redis.call('ZRANGE', KEYS[1], 0, count - 1) end
end
if #gone > 0 then
  redis.call('ZREM', KEYS[1], unpack(gone))
  redis.call('HDEL', KEYS[2], unpack(gone))
  redis.call('INCRBY', KEYS[3], #gone)
end
`

/** KEYS[4]: the body. ARGV: … id, summary, body. Returns what fell off, and the summary that is there already, if one is. */
const KEEP = `
local kept = redis.call('HGET', KEYS[2], ARGV[3])
if kept then return { {}, kept } end
local at = redis.call('TIME')
redis.call('ZADD', KEYS[1], at[1] * 1000000 + at[2], ARGV[3])
redis.call('HSET', KEYS[2], ARGV[3], '1 ' .. ARGV[4])
redis.call('SET', KEYS[4], ARGV[5], 'PX', ARGV[1])
${FORGET}
return { gone }
`

/** KEYS: the summaries. ARGV: id, the revision that it must have, the new summary. Returns whether it had it. */
const REPLACE = `
local kept = redis.call('HGET', KEYS[1], ARGV[1])
if not kept or string.match(kept, '^%d+') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], (ARGV[2] + 1) .. ' ' .. ARGV[3])
return 1
`

/** ARGV: … the time and id after which to begin (empty: at the newest), how many. Returns what fell off; id, time and summary each. */
const NEWEST = `${FORGET}
local start = 0
if ARGV[3] ~= '' then
  local rank = redis.call('ZREVRANK', KEYS[1], ARGV[4])
  if rank then start = rank + 1 else start = redis.call('ZCOUNT', KEYS[1], ARGV[3], '+inf') end
end
local found = redis.call('ZREVRANGE', KEYS[1], start, start + ARGV[5] - 1, 'WITHSCORES')
local rows = {}
for i = 1, #found, 2 do
  rows[#rows + 1] = found[i]
  rows[#rows + 1] = found[i + 1]
  rows[#rows + 1] = redis.call('HGET', KEYS[2], found[i]) or ''
end
return { gone, rows }
`

const COUNT = `${FORGET}
return { gone, redis.call('GET', KEYS[3]) or '0' }
`

interface Row {
  position: string
  summary: DeadLetterSummary
}

export function createRedisDeadLetters(
  { maxDeadLetters, deadLetterTtlMs }: { maxDeadLetters: number; deadLetterTtlMs: number },
  { connection, keys }: { connection: RedisConnection; keys: Keys },
): DeadLetterStore {
  const bounds = [deadLetterTtlMs, maxDeadLetters]
  const keepScript = connection.script<[string[], string?]>('deadLetterKeep', 4, KEEP)
  const replaceScript = connection.script<number>('deadLetterReplace', 1, REPLACE)
  const newestScript = connection.script<[string[], string[]]>('deadLetterNewest', 3, NEWEST)
  const countScript = connection.script<[string[], string]>('deadLetterCount', 3, COUNT)

  const keysOf = (accountKey: string) => {
    const { letters, summaries, forgotten } = keys.deadLetters(accountKey)
    return [letters, summaries, forgotten]
  }
  const dropBodies = async (accountKey: string, ids: readonly string[]): Promise<void> => {
    if (ids.length === 0) return
    const bodies = ids.map((id) => keys.deadLetterBody(accountKey, id))
    await connection.run((redis) => redis.unlink(...bodies))
  }
  const update: DeadLetterStore['update'] = async (accountKey, id, change) => {
    const { summaries } = keys.deadLetters(accountKey)
    for (;;) {
      const text = await connection.run((redis) => redis.hget(summaries, id))
      if (text === null) return undefined
      const { revision, summary } = readSummary(text)
      const changed = change(summary)
      if (changed === summary) return summary
      const args = [id, revision, JSON.stringify(changed)]
      if ((await replaceScript([summaries], args)) === 1) return changed
    }
  }
  const newest = async (accountKey: string, after: string, count: number): Promise<Row[]> => {
    const [time = '', id = ''] = after.split(' ', 2)
    const args = [...bounds, time, id, count]
    const [gone, flat] = await newestScript(keysOf(accountKey), args)
    await dropBodies(accountKey, gone)
    const rows: Row[] = []
    for (let index = 0; index + 2 < flat.length; index += 3) {
      const [found, at, text] = [flat[index]!, flat[index + 1]!, flat[index + 2]!]
      if (text !== '') rows.push({ position: `${at} ${found}`, ...readSummary(text) })
    }
    return rows
  }

  return {
    update,

    async keep(letter) {
      const { account_key, dead_letter_id } = letter
      const [gone, kept] = await keepScript(
        [...keysOf(account_key), keys.deadLetterBody(account_key, dead_letter_id)],
        [
          ...bounds,
          dead_letter_id,
          JSON.stringify(firstSummary(letter)),
          JSON.stringify(letter.body),
        ],
      )
      if (kept !== undefined) {
        await update(account_key, dead_letter_id, (summary) => repeated(summary, letter))
      }
      await dropBodies(account_key, gone)
      return { forgotten: gone.length }
    },

    async get(accountKey, id) {
      const { summaries } = keys.deadLetters(accountKey)
      const [summary, body] = await Promise.all([
        connection.run((redis) => redis.hget(summaries, id)),
        connection.run((redis) => redis.get(keys.deadLetterBody(accountKey, id))),
      ])
      if (summary === null || body === null) return undefined
      return withBody(readSummary(summary).summary, body)
    },

    async list(accountKey, filter, pageOptions) {
      const { limit, after = '' } = checkPage('dead letters', pageOptions, POSITION)
      const items: DeadLetterSummary[] = []
      let position = after
      for (let scanned = 0; scanned < MAX_SCANNED_DEAD_LETTERS; scanned += CHUNK_SIZE) {
        const rows = await newest(accountKey, position, CHUNK_SIZE)
        for (const row of rows) {
          if (items.length === limit) return { items, next: cursorOf('dead letters', position) }
          position = row.position
          if (isAskedFor(row.summary, filter)) items.push(row.summary)
        }
        if (rows.length < CHUNK_SIZE) return { items }
      }
      return { items, next: cursorOf('dead letters', position) }
    },

    async groups(accountKey, filter) {
      const grouping = createGrouping()
      let position = ''
      for (let scanned = 0; scanned < maxDeadLetters; scanned += CHUNK_SIZE) {
        const rows = await newest(accountKey, position, CHUNK_SIZE)
        for (const { summary } of rows) if (isAskedFor(summary, filter)) grouping.add(summary)
        if (rows.length < CHUNK_SIZE) break
        position = rows.at(-1)!.position
      }
      return grouping.groups()
    },

    async forgotten(accountKey) {
      const [gone, count] = await countScript(keysOf(accountKey), bounds)
      await dropBodies(accountKey, gone)
      return Number(count)
    },
  }
}

function readSummary(text: string): { revision: string; summary: DeadLetterSummary } {
  const space = text.indexOf(' ')
  return {
    revision: text.slice(0, space),
    summary: JSON.parse(text.slice(space + 1)) as DeadLetterSummary,
  }
}

/**
 * Dead letters in Redis: an index of the account's letters by the time (of Redis, in microseconds) at which they were kept, a hash of
 * their summaries (`<revision> <summary as JSON>`), and each body by itself, so that a listing reads none.
 */
import type { DeadLetterSummary } from '@signalbox/contracts'
import { MAX_SCANNED_DEAD_LETTERS } from '../bounds.ts'
import { createGrouping, firstSummary, isAskedFor, repeated, withBody } from '../dead-letters.ts'
import type { DeadLetterStore } from '../ports.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'
import {
  CHUNK_SIZE,
  FORGET,
  NEWEST,
  newestArguments,
  pageOfNewest,
  type Row,
  rowsOf,
} from './newest-first.ts'

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

const COUNT = `${FORGET}
return { gone, redis.call('GET', KEYS[3]) or '0' }
`

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
    const args = [...bounds, ...newestArguments(after, count)]
    const [gone, flat] = await newestScript(keysOf(accountKey), args)
    await dropBodies(accountKey, gone)
    return rowsOf(flat)
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

    list(accountKey, filter, pageOptions) {
      return pageOfNewest(
        { ...pageOptions, listing: 'dead letters', maxScanned: MAX_SCANNED_DEAD_LETTERS },
        (after, count) => newest(accountKey, after, count),
        (text) => readSummary(text).summary,
        (summary) => isAskedFor(summary, filter),
      )
    },

    async groups(accountKey, filter) {
      const grouping = createGrouping()
      let position = ''
      for (let scanned = 0; scanned < maxDeadLetters; scanned += CHUNK_SIZE) {
        const rows = await newest(accountKey, position, CHUNK_SIZE)
        for (const { text } of rows) {
          const { summary } = readSummary(text)
          if (isAskedFor(summary, filter)) grouping.add(summary)
        }
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

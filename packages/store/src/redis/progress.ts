/**
 * Progress in Redis: a hash per event, of its pieces of work. The first character of a value says how far the work is (`?` begun, `=`
 * done); the plan or the outcome follows as JSON.
 */
import type { Progress, ProgressStore } from '../ports.ts'
import type { RedisConnection } from './connection.ts'
import { gathered } from './gathering.ts'
import type { Keys } from './keys.ts'

const BEGUN = '?'
const DONE = '='

/** KEYS: a hash for each piece of work. ARGV: ms to keep the hashes, then each work and its value. Returns the values that were there, or nothing. */
const BEGIN = `
local known = {}
for i, key in ipairs(KEYS) do
  known[i] = redis.call('HGET', key, ARGV[2 * i])
  if not known[i] then
    redis.call('HSET', key, ARGV[2 * i], ARGV[2 * i + 1])
    redis.call('PEXPIRE', key, ARGV[1])
  end
end
return known
`

const FINISH = `
for i, key in ipairs(KEYS) do
  redis.call('HSET', key, ARGV[2 * i], ARGV[2 * i + 1])
  redis.call('PEXPIRE', key, ARGV[1])
end
return {}
`

interface Change {
  eventId: string
  work: string
  value: string
}

export function createRedisProgress(
  options: { progressTtlMs: number },
  deps: { connection: RedisConnection; keys: Keys },
): ProgressStore {
  const { connection, keys } = deps
  const begin = changing<string | null>('progressBegin', BEGIN)
  const finish = changing<void>('progressFinish', FINISH)

  function changing<Reply>(name: string, lua: string) {
    const script = connection.script<Reply[]>(name, 'any', lua)
    return gathered<Change, Reply>((accountKey, changes) =>
      script(
        changes.map(({ eventId }) => keys.progress(accountKey, eventId)),
        [options.progressTtlMs, ...changes.flatMap(({ work, value }) => [work, value])],
      ),
    )
  }

  return {
    async begin(accountKey, eventId, work, plan) {
      return progressOf(
        await begin(accountKey, { eventId, work, value: BEGUN + JSON.stringify(plan) }),
      )
    },

    async finish(accountKey, eventId, work, outcome) {
      await finish(accountKey, { eventId, work, value: DONE + JSON.stringify(outcome) })
    },

    async outcome(accountKey, eventId, work) {
      const key = keys.progress(accountKey, eventId)
      const progress = progressOf(await connection.run((redis) => redis.hget(key, work)))
      return progress.state === 'done' ? progress.outcome : undefined
    },
  }
}

function progressOf(kept: string | null): Progress {
  if (kept === null) return { state: 'new' }
  const value = JSON.parse(kept.slice(1)) as unknown
  return kept.startsWith(DONE) ? { state: 'done', outcome: value } : { state: 'begun', plan: value }
}

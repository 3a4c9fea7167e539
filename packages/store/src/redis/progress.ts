/**
 * Progress in Redis: a hash per event, of its pieces of work. The first character of a value says how far the work is (`?` begun, `=`
 * done); the plan or the outcome follows as JSON.
 */
import type { Progress, ProgressStore } from '../ports.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'

const BEGUN = '?'
const DONE = '='

/** KEYS: the hash. ARGV: the work, its value, ms to keep the hash. Returns the value that was there, or nothing. */
const BEGIN = `
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then return known end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
`

const FINISH = `
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
`

export function createRedisProgress(
  options: { progressTtlMs: number },
  deps: { connection: RedisConnection; keys: Keys },
): ProgressStore {
  const { connection, keys } = deps
  const beginScript = connection.script<string | null>('progressBegin', 1, BEGIN)
  const finishScript = connection.script<null>('progressFinish', 1, FINISH)

  return {
    async begin(accountKey, eventId, work, plan) {
      const args = [work, BEGUN + JSON.stringify(plan), options.progressTtlMs]
      return progressOf(await beginScript([keys.progress(accountKey, eventId)], args))
    },

    async finish(accountKey, eventId, work, outcome) {
      const args = [work, DONE + JSON.stringify(outcome), options.progressTtlMs]
      await finishScript([keys.progress(accountKey, eventId)], args)
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

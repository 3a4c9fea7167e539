/** Progress in Redis; `chronicle.ts` writes it, and says how it is kept. */
import type { Progress, ProgressStore } from '../ports.ts'
import { BEGUN, type Chronicle, DONE, DONE_IF_NEW } from './chronicle.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'

export function createRedisProgress(deps: {
  connection: RedisConnection
  keys: Keys
  chronicle: Chronicle
}): Omit<ProgressStore, 'onForgotten'> {
  const { connection, keys, chronicle } = deps
  return {
    async begin(accountKey, eventId, work, plan, facts = []) {
      const value = BEGUN + JSON.stringify(plan)
      return progressOf(await chronicle.write(accountKey, { eventId, work, value, facts }))
    },

    async finish(accountKey, eventId, work, outcome, facts = []) {
      const value = DONE + JSON.stringify(outcome)
      await chronicle.write(accountKey, { eventId, work, value, facts })
    },

    async complete(accountKey, eventId, work, outcome, facts = []) {
      const value = DONE_IF_NEW + JSON.stringify(outcome)
      return progressOf(await chronicle.write(accountKey, { eventId, work, value, facts }))
    },

    async outcome(accountKey, eventId, work) {
      const key = keys.progress(accountKey, eventId)
      const progress = progressOf(await connection.run((redis) => redis.hget(key, work)))
      return progress.state === 'done' ? progress.outcome : undefined
    },

    async forgotten(accountKey) {
      const key = keys.progressOf(accountKey).forgotten
      return Number((await connection.run((redis) => redis.get(key))) ?? 0)
    },
  }
}

function progressOf(kept: string | null): Progress {
  if (kept === null) return { state: 'new' }
  const value = JSON.parse(kept.slice(1)) as unknown
  return kept.startsWith(DONE) ? { state: 'done', outcome: value } : { state: 'begun', plan: value }
}

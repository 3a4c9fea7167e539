/** Progress in memory. */
import type { Progress, ProgressStore } from '../ports.ts'
import { Accounts, type MemoryLifetime } from './accounts.ts'

interface KeptProgress {
  /** As JSON text: values are copies. */
  works: Map<string, string>
  touchedAtMs: number
}

export function createMemoryProgress(
  options: { progressTtlMs: number },
  deps: { lifetime: MemoryLifetime },
): ProgressStore {
  /** By event, the one that was touched longest ago first. */
  const accounts = new Accounts(deps.lifetime, () => new Map<string, KeptProgress>())

  const current = (accountKey: string): Map<string, KeptProgress> => {
    const events = accounts.of(accountKey)
    const expiredBefore = Date.now() - options.progressTtlMs
    for (const [eventId, { touchedAtMs }] of events) {
      if (touchedAtMs > expiredBefore) break
      events.delete(eventId)
    }
    return events
  }
  const known = (accountKey: string, eventId: string, work: string): Progress => {
    const text = current(accountKey).get(eventId)?.works.get(work)
    return text === undefined ? { state: 'new' } : (JSON.parse(text) as Progress)
  }
  const keep = (accountKey: string, eventId: string, work: string, progress: Progress): void => {
    const events = current(accountKey)
    const works = events.get(eventId)?.works ?? new Map<string, string>()
    works.set(work, JSON.stringify(progress))
    events.delete(eventId)
    events.set(eventId, { works, touchedAtMs: Date.now() })
  }

  return {
    async begin(accountKey, eventId, work, plan) {
      const progress = known(accountKey, eventId, work)
      if (progress.state === 'new') keep(accountKey, eventId, work, { state: 'begun', plan })
      return progress
    },

    async finish(accountKey, eventId, work, outcome) {
      keep(accountKey, eventId, work, { state: 'done', outcome })
    },

    async outcome(accountKey, eventId, work) {
      const progress = known(accountKey, eventId, work)
      return progress.state === 'done' ? progress.outcome : undefined
    },
  }
}

/** Progress in memory. */
import { createForgetting } from '../forgetting.ts'
import type { BiographyStore, Progress, ProgressStore } from '../ports.ts'
import { Accounts, type MemoryLifetime } from './accounts.ts'

interface KeptProgress {
  /** As JSON text: values are copies. */
  works: Map<string, string>
  isBegun: Set<string>
  touchedAtMs: number
}

interface AccountProgress {
  /** In the order in which work on them began. */
  events: Map<string, KeptProgress>
  /** The same in the order of their last changes. */
  touched: Map<string, KeptProgress>
  forgotten: number
}

export function createMemoryProgress(
  options: { progressTtlMs: number; maxProgress: number },
  deps: { lifetime: MemoryLifetime; biographies: Pick<BiographyStore, 'record'> },
): ProgressStore {
  const accounts = new Accounts(
    deps.lifetime,
    (): AccountProgress => ({ events: new Map(), touched: new Map(), forgotten: 0 }),
  )
  const forgetting = createForgetting()

  const current = (accountKey: string): AccountProgress => {
    const account = accounts.of(accountKey)
    const expiredBefore = Date.now() - options.progressTtlMs
    for (const [eventId, { touchedAtMs }] of account.touched) {
      if (touchedAtMs > expiredBefore) break
      account.touched.delete(eventId)
      account.events.delete(eventId)
    }
    return account
  }
  const known = (accountKey: string, eventId: string, work: string): Progress => {
    const text = current(accountKey).events.get(eventId)?.works.get(work)
    return text === undefined ? { state: 'new' } : (JSON.parse(text) as Progress)
  }
  const keep = (accountKey: string, eventId: string, work: string, progress: Progress): void => {
    const account = current(accountKey)
    const { events, touched } = account
    const kept = events.get(eventId) ?? { works: new Map(), isBegun: new Set(), touchedAtMs: 0 }
    kept.works.set(work, JSON.stringify(progress))
    if (progress.state === 'begun') kept.isBegun.add(work)
    else kept.isBegun.delete(work)
    kept.touchedAtMs = Date.now()
    touched.delete(eventId)
    touched.set(eventId, kept)
    if (events.has(eventId)) return
    events.set(eventId, kept)
    const dropped = dropOldest(account, options.maxProgress)
    account.forgotten += dropped
    if (dropped > 0) forgetting.tell(accountKey, dropped)
  }
  const tell = async (
    accountKey: string,
    eventId: string,
    facts: Parameters<ProgressStore['begin']>[4] = [],
  ): Promise<void> => {
    if (facts.length > 0) await deps.biographies.record([{ accountKey, eventId, facts }])
  }

  return {
    async begin(accountKey, eventId, work, plan, facts) {
      const progress = known(accountKey, eventId, work)
      if (progress.state === 'begun') keep(accountKey, eventId, work, progress)
      if (progress.state !== 'new') return progress
      keep(accountKey, eventId, work, { state: 'begun', plan })
      await tell(accountKey, eventId, facts)
      return progress
    },

    async finish(accountKey, eventId, work, outcome, facts) {
      keep(accountKey, eventId, work, { state: 'done', outcome })
      await tell(accountKey, eventId, facts)
    },

    async complete(accountKey, eventId, work, outcome, facts) {
      const progress = known(accountKey, eventId, work)
      if (progress.state === 'begun') keep(accountKey, eventId, work, progress)
      if (progress.state !== 'new') return progress
      keep(accountKey, eventId, work, { state: 'done', outcome })
      await tell(accountKey, eventId, facts)
      return progress
    },

    async outcome(accountKey, eventId, work) {
      const progress = known(accountKey, eventId, work)
      return progress.state === 'done' ? progress.outcome : undefined
    },

    async forgotten(accountKey) {
      return current(accountKey).forgotten
    },

    onForgotten: forgetting.listen,
  }
}

/** What is begun and not done stays, as the youngest. */
function dropOldest({ events, touched }: AccountProgress, maxCount: number): number {
  let dropped = 0
  let excess = events.size - maxCount
  for (const [eventId, kept] of events) {
    if (excess <= 0) break
    excess -= 1
    events.delete(eventId)
    if (kept.isBegun.size > 0) {
      events.set(eventId, kept)
    } else {
      touched.delete(eventId)
      dropped += 1
    }
  }
  return dropped
}

/** What the edges' relays agree on, in memory. */
import { checkAccountKey } from '../input.ts'
import type { ChannelInterest, RelayRoster } from '../ports.ts'
import { checkOpen, type MemoryLifetime } from './accounts.ts'

interface Mark {
  lapsesAtMs: number
  isConfirmed: boolean
}

export function createMemoryInterest({ lifetime }: { lifetime: MemoryLifetime }): ChannelInterest {
  const known = new Map<string, Mark>()
  const marks = () => {
    checkOpen(lifetime)
    return known
  }
  /** Undefined: somebody keeps it. */
  const lapsed = (accountKey: string) => {
    const mark = marks().get(checkAccountKey(accountKey))
    return mark && mark.lapsesAtMs > Date.now() ? undefined : { mark }
  }

  return {
    async keep(accountKey, ttlMs) {
      const mark = marks().get(checkAccountKey(accountKey)) ?? { lapsesAtMs: 0, isConfirmed: false }
      mark.lapsesAtMs = Math.max(mark.lapsesAtMs, Date.now() + ttlMs)
      known.set(accountKey, mark)
      return { isConfirmed: mark.isConfirmed }
    },

    async confirm(accountKey) {
      const mark = marks().get(checkAccountKey(accountKey))
      if (mark) mark.isConfirmed = true
    },

    async among(accountKeys) {
      const all = marks()
      return new Set(accountKeys.filter((accountKey) => all.has(accountKey)))
    },

    async list() {
      const nowMs = Date.now()
      return [...marks()].map(([accountKey, { lapsesAtMs }]) => ({
        accountKey,
        isLapsed: lapsesAtMs <= nowMs,
      }))
    },

    async lapse(accountKey) {
      const found = lapsed(accountKey)
      if (found?.mark) found.mark.isConfirmed = false
      return found !== undefined
    },

    async end(accountKey) {
      const found = lapsed(accountKey)
      if (found) known.delete(accountKey)
      return found !== undefined
    },
  }
}

export function createMemoryRoster({ lifetime }: { lifetime: MemoryLifetime }): RelayRoster {
  const goneAtMs = new Map<string, number>()

  return {
    async announce(relayId, ttlMs) {
      checkOpen(lifetime)
      const nowMs = Date.now()
      for (const [id, atMs] of goneAtMs) if (atMs <= nowMs) goneAtMs.delete(id)
      goneAtMs.set(relayId, nowMs + ttlMs)
      return [...goneAtMs.keys()]
    },

    async leave(relayId) {
      checkOpen(lifetime)
      goneAtMs.delete(relayId)
    },
  }
}

/** Who is connected where, in memory. */
import type { AccountPresence, PresenceStore } from '../ports.ts'
import { Accounts, type MemoryLifetime } from './accounts.ts'

export function createMemoryPresence({ lifetime }: { lifetime: MemoryLifetime }): PresenceStore {
  const accounts = new Accounts(
    lifetime,
    () => new Map<string, { presence: AccountPresence; lapsesAtMs: number }>(),
  )

  return {
    async report(edgeId, reports, ttlMs) {
      for (const [accountKey, presence] of reports) {
        const edges = accounts.of(accountKey)
        if (presence.connections === 0) edges.delete(edgeId)
        else {
          const lapsesAtMs = Date.now() + ttlMs
          edges.set(edgeId, { presence: structuredClone(presence), lapsesAtMs })
        }
      }
    },

    async read(accountKey) {
      const edges = accounts.of(accountKey)
      const nowMs = Date.now()
      const found = new Map<string, AccountPresence>()
      for (const [edgeId, { presence, lapsesAtMs }] of edges) {
        if (lapsesAtMs <= nowMs) edges.delete(edgeId)
        else found.set(edgeId, structuredClone(presence))
      }
      return found
    },
  }
}

/** Revoked tokens in memory. */
import type { Log } from '@signalbox/kit'
import { notify } from '../listeners.ts'
import type { Revocation, RevocationStore } from '../ports.ts'
import { MAX_REVOCATIONS, markOf, revokes, targetsOf, tooManyRevocations } from '../revocations.ts'
import { Accounts, checkOpen, type MemoryLifetime } from './accounts.ts'

export function createMemoryRevocations({
  lifetime,
  log,
}: {
  lifetime: MemoryLifetime
  log: Log
}): RevocationStore {
  const accounts = new Accounts(
    lifetime,
    () => new Map<string, { atMs: number; lapsesAtMs: number }>(),
  )
  const listeners = new Set<(revocation: Revocation) => void>()

  return {
    async revoke(accountKey, target, ttlMs) {
      const revoked = accounts.of(accountKey)
      const atMs = Date.now()
      for (const [mark, { lapsesAtMs }] of revoked) if (lapsesAtMs <= atMs) revoked.delete(mark)
      const mark = markOf(target)
      const known = revoked.get(mark)
      if (!known && revoked.size >= MAX_REVOCATIONS) throw tooManyRevocations()
      revoked.set(mark, { atMs, lapsesAtMs: Math.max(known?.lapsesAtMs ?? 0, atMs + ttlMs) })
      notify(listeners, { accountKey, target, atMs }, log)
    },

    async areRevoked(accountKey, tokens) {
      const revoked = accounts.of(accountKey)
      const nowMs = Date.now()
      return tokens.map((token) =>
        targetsOf(token).some((target) => {
          const known = revoked.get(markOf(target))
          return known && known.lapsesAtMs > nowMs && revokes({ target, atMs: known.atMs }, token)
        }),
      )
    },

    async onRevoke(listener) {
      checkOpen(lifetime)
      const hear = (revocation: Revocation) => listener(revocation)
      listeners.add(hear)
      return async () => {
        listeners.delete(hear)
      }
    },
  }
}

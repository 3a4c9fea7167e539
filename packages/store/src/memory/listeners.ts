/** Listeners in memory. */
import type { Log } from '@signalbox/kit'
import { listenerExistsConflict, tooMany } from '../conflicts.ts'
import { checkPage } from '../input.ts'
import { notify } from '../listeners.ts'
import { pageOf } from '../paging.ts'
import type { KeptListener, ListenerStore } from '../ports.ts'
import { Accounts, checkOpen, type MemoryLifetime } from './accounts.ts'
import { SortedMap } from './sorted-map.ts'

type Change = { accountKey: string; listenerId: string }

export function createMemoryListeners(
  { maxListeners }: { maxListeners: number },
  { lifetime, log }: { lifetime: MemoryLifetime; log: Log },
): ListenerStore {
  /** As JSON text: what comes out is always a copy. */
  const accounts = new Accounts(lifetime, () => new SortedMap<string>())
  const hearers = new Set<(change: Change) => void>()
  const changed = (accountKey: string, listenerId: string) => {
    queueMicrotask(() => notify(hearers, { accountKey, listenerId }, log))
  }
  const put = (accountKey: string, { listener, secrets }: KeptListener, version: number) => {
    const { listener_id } = listener
    const kept: KeptListener = { listener: { ...listener, version }, secrets }
    const text = JSON.stringify(kept)
    accounts.of(accountKey).set(listener_id, text)
    changed(accountKey, listener_id)
    return parse(text)
  }

  return {
    async create(accountKey, listener, secrets) {
      const listeners = accounts.of(accountKey)
      if (listeners.get(listener.listener_id) !== undefined) {
        throw listenerExistsConflict(listener.listener_id)
      }
      if (listeners.size >= maxListeners) throw tooMany('listeners', maxListeners)
      return put(accountKey, { listener, secrets }, 1)
    },

    async get(accountKey, listenerId) {
      const text = accounts.of(accountKey).get(listenerId)
      return text === undefined ? undefined : parse(text)
    },

    async update(accountKey, listenerId, change) {
      const text = accounts.of(accountKey).get(listenerId)
      if (text === undefined) return undefined
      const kept = parse(text)
      const next = change(kept)
      return next === kept ? kept : put(accountKey, next, kept.listener.version + 1)
    },

    async delete(accountKey, listenerId) {
      const isDeleted = accounts.of(accountKey).delete(listenerId)
      if (isDeleted) changed(accountKey, listenerId)
      return isDeleted
    },

    async list(accountKey, options) {
      const { limit, after } = checkPage('listeners', options)
      const rows = accounts.of(accountKey).entriesAfter(after, limit + 1)
      return pageOf('listeners', limit, rows, parse)
    },

    async onChange(hear) {
      checkOpen(lifetime)
      const own = (change: Change) => hear(change)
      hearers.add(own)
      return async () => {
        hearers.delete(own)
      }
    },
  }
}

function parse(text: string): KeptListener {
  return JSON.parse(text) as KeptListener
}

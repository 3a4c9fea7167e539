/** Chains in memory. */
import type { StoredChain } from '@signalbox/contracts'
import type { Log } from '@signalbox/kit'
import { defaultChainConflict, isEnabledDefault, tooMany } from '../conflicts.ts'
import { checkLimit, checkPage, checkPosition } from '../input.ts'
import { notify } from '../listeners.ts'
import { pageOf } from '../paging.ts'
import type { ChainStore } from '../ports.ts'
import { Accounts, checkOpen, type MemoryLifetime } from './accounts.ts'
import { SortedMap } from './sorted-map.ts'

const MAX_CHANGES = 1_000

class AccountChains {
  /** As JSON text: what comes out is always a copy. */
  readonly chains = new SortedMap<string>()
  /** Chain to the revision of its last change, oldest change first; deleted ones included. */
  readonly changes = new Map<string, number>()
  /** Those of `changes` that are deletions. */
  readonly deleted = new Set<string>()
  revision = 0
  /** Deletions up to this revision may be forgotten. */
  floor = 0
  defaultChainId: string | undefined

  changed(chainId: string): void {
    this.revision += 1
    this.changes.delete(chainId)
    this.changes.set(chainId, this.revision)
  }
}

export function createMemoryChains(
  options: { maxDeletedChains: number; maxChains: number },
  deps: { lifetime: MemoryLifetime; log: Log },
): ChainStore {
  const accounts = new Accounts(deps.lifetime, () => new AccountChains())
  const listeners = new Set<(accountKey: string) => void>()
  const tellChanged = (accountKey: string) => {
    queueMicrotask(() => notify(listeners, accountKey, deps.log))
  }

  return {
    async put(accountKey, chainId, chain) {
      const account = accounts.of(accountKey)
      const previous = account.chains.get(chainId)
      if (previous === undefined && account.chains.size >= options.maxChains) {
        throw tooMany('chains', options.maxChains)
      }
      if (isEnabledDefault(chain)) {
        const other = account.defaultChainId ?? chainId
        if (other !== chainId) throw defaultChainConflict(chainId, other)
        account.defaultChainId = chainId
      } else if (account.defaultChainId === chainId) {
        account.defaultChainId = undefined
      }
      const text = JSON.stringify({
        ...chain,
        chain_id: chainId,
        version: previous === undefined ? 1 : parse(previous).version + 1,
        updated_at: new Date().toISOString(),
      })
      account.chains.set(chainId, text)
      account.deleted.delete(chainId)
      account.changed(chainId)
      tellChanged(accountKey)
      return parse(text)
    },

    async get(accountKey, chainId) {
      const text = accounts.of(accountKey).chains.get(chainId)
      return text === undefined ? undefined : parse(text)
    },

    async delete(accountKey, chainId) {
      const account = accounts.of(accountKey)
      if (!account.chains.delete(chainId)) return false
      if (account.defaultChainId === chainId) account.defaultChainId = undefined
      account.changed(chainId)
      account.deleted.delete(chainId)
      account.deleted.add(chainId)
      if (account.deleted.size > options.maxDeletedChains) forgetOldest(account)
      tellChanged(accountKey)
      return true
    },

    async list(accountKey, pageOptions) {
      const account = accounts.of(accountKey)
      const { limit, after } = checkPage('chains', pageOptions)
      return pageOf('chains', limit, account.chains.entriesAfter(after, limit + 1), parse)
    },

    async revision(accountKey) {
      return accounts.of(accountKey).revision
    },

    async changesSince(accountKey, revision, limit = MAX_CHANGES) {
      const account = accounts.of(accountKey)
      checkPosition(revision, 'revision')
      checkLimit(limit)
      const isForgotten = revision > 0 && revision < account.floor
      if (isForgotten || revision > account.revision) {
        return { revision: account.revision, changed: [], deleted: [], more: false, restart: true }
      }
      const rows = [...account.changes].filter(([, changedAt]) => changedAt > revision)
      const shown = rows.slice(0, limit)
      const more = rows.length > limit
      const changedIds = shown.map(([chainId]) => chainId)
      return {
        revision: more ? shown.at(-1)![1] : account.revision,
        changed: changedIds
          .filter((chainId) => !account.deleted.has(chainId))
          .map((chainId) => parse(account.chains.get(chainId)!)),
        deleted: changedIds.filter((chainId) => account.deleted.has(chainId)),
        more,
      }
    },

    async onChange(listener) {
      checkOpen(deps.lifetime)
      const own = (accountKey: string) => listener(accountKey)
      listeners.add(own)
      return async () => {
        listeners.delete(own)
      }
    },
  }
}

function forgetOldest(account: AccountChains): void {
  const [oldest] = account.deleted
  if (oldest === undefined) return
  account.floor = account.changes.get(oldest)!
  account.changes.delete(oldest)
  account.deleted.delete(oldest)
}

function parse(text: string): StoredChain {
  return JSON.parse(text) as StoredChain
}

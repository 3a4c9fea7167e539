/**
 * The dispatcher's picture of each account's chains: an index that is brought up to date before every use.
 *
 * `current` asks the store for the account's revision and reads the changes since the one it has. So a chain that was saved
 * before an event was taken is seen by that event, on every dispatcher, whether or not a push arrived. The push only does the
 * reading ahead of the next event. When the store cannot be asked, `current` rejects: an old picture is never used instead.
 */
import { type ChainIndex, createChainIndex } from '@signalbox/chains'
import type { Log } from '@signalbox/kit'
import { type ChainStore, catchUp, type Unsubscribe } from '@signalbox/store'
import { LRUCache } from 'lru-cache'

/** Accounts kept in memory; the least recently used is read again when it returns. */
const MAX_ACCOUNTS = 5_000

export interface ChainCache extends AsyncDisposable {
  /** The account's chains as of now. Rejects with `UnavailableError` when the store cannot be reached. */
  current(accountKey: string): Promise<ChainIndex>
}

interface Account {
  index: ChainIndex
  revision: number
  /** The revision look-up that calls of this turn of the event loop share: it is not sent yet. */
  lookup?: Promise<number> | undefined
  refreshing?: Promise<void> | undefined
}

export async function createChainCache(
  chains: Pick<ChainStore, 'revision' | 'changesSince' | 'list' | 'onChange'>,
  log: Log,
): Promise<ChainCache> {
  const accounts = new LRUCache<string, Account>({ max: MAX_ACCOUNTS })

  async function current(accountKey: string): Promise<ChainIndex> {
    const account = accountOf(accountKey)
    const revision = await lookUp(accountKey, account)
    // n.b. a higher revision is out of date as well: a store that lost data counts again from where it was. A refresh that was
    // under way may have begun before the look-up; the second has not.
    for (let tries = 0; account.revision !== revision && tries < 2; tries++) {
      account.refreshing ??= refresh(accountKey, account)
      await account.refreshing
    }
    return account.index
  }

  function accountOf(accountKey: string): Account {
    let account = accounts.get(accountKey)
    if (!account) {
      account = { index: createChainIndex(), revision: 0 }
      accounts.set(accountKey, account)
    }
    return account
  }

  function lookUp(accountKey: string, account: Account): Promise<number> {
    if (!account.lookup) {
      account.lookup = chains.revision(accountKey)
      // n.b. shared only until this turn ends: a look-up that was sent before a chain was saved must not answer for later events.
      queueMicrotask(() => {
        account.lookup = undefined
      })
    }
    return account.lookup
  }

  async function refresh(accountKey: string, account: Account): Promise<void> {
    try {
      let { index } = account
      account.revision = await catchUp(chains, accountKey, account.revision, {
        upsert: (chain) => index.upsert(chain),
        remove: (chainId) => index.remove(chainId),
        clear() {
          index = createChainIndex()
        },
      })
      account.index = index
    } finally {
      account.refreshing = undefined
    }
  }

  const unsubscribe: Unsubscribe = await chains.onChange((accountKey) => {
    if (!accounts.has(accountKey)) return
    current(accountKey).catch((error: unknown) => {
      log.debug({ err: error, accountKey }, 'chains.refresh_failed')
    })
  })

  return { current, [Symbol.asyncDispose]: unsubscribe }
}

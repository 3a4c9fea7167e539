/**
 * Whether a chain that is about to be saved would close a loop.
 *
 * Each account's chains are kept as a graph that is brought up to date before every search, by what changed since; the first search
 * of an account reads all its chains. Nothing is read for a chain whose steps fire nothing, which most do.
 */
import { type ChainGraph, createChainGraph, type LinkedChain, mayFire } from '@signalbox/chains'
import type { CatalogEntry, ChainWarning } from '@signalbox/contracts'
import { type ChainStore, catchUp } from '@signalbox/store'
import { LRUCache } from 'lru-cache'

/** Accounts kept in memory; the least recently used is read again when it returns. */
const MAX_ACCOUNTS = 1_000

export interface LoopCheck {
  /**
   * What to say about the chain as it would be, with the account's others as they are now; empty when there is nothing. Rejects with
   * `UnavailableError` when the store cannot be reached.
   */
  warningsOf(
    accountKey: string,
    chain: LinkedChain,
    catalog: readonly CatalogEntry[],
  ): Promise<ChainWarning[]>
}

interface Account {
  graph: ChainGraph
  revision: number
  /** Settles when the last reading that was begun has ended; one follows the other. */
  read: Promise<unknown>
}

export function createLoopCheck(chains: Pick<ChainStore, 'changesSince' | 'list'>): LoopCheck {
  const accounts = new LRUCache<string, Account>({ max: MAX_ACCOUNTS })

  async function current(accountKey: string): Promise<ChainGraph> {
    let account = accounts.get(accountKey)
    if (!account) {
      account = { graph: createChainGraph(), revision: 0, read: Promise.resolve() }
      accounts.set(accountKey, account)
    }
    const { read } = account
    const reading = read.then(() => refresh(accountKey, account))
    account.read = reading.catch(() => undefined)
    await reading
    return account.graph
  }

  async function refresh(accountKey: string, account: Account): Promise<void> {
    account.revision = await catchUp(chains, accountKey, account.revision, {
      upsert: (chain) => account.graph.upsert(chain),
      remove: (chainId) => account.graph.remove(chainId),
      clear() {
        account.graph = createChainGraph()
      },
    })
  }

  return {
    async warningsOf(accountKey, chain, catalog) {
      if (!chain.enabled || !mayFire(chain, catalog)) return []
      return warningsIn(await current(accountKey), chain, catalog)
    },
  }
}

function warningsIn(
  graph: ChainGraph,
  chain: LinkedChain,
  catalog: readonly CatalogEntry[],
): ChainWarning[] {
  const search = graph.findLoop(chain, catalog)
  switch (search.kind) {
    case 'none':
      return []
    case 'loop': {
      const { description, path } = search.loop
      return [{ code: 'SB_POSSIBLE_LOOP', message: `events may go round: ${description}`, path }]
    }
    case 'cut':
      return [
        {
          code: 'SB_POSSIBLE_LOOP',
          message: `no loop was found in ${search.looks} looks, where the search was cut: there may be one`,
          path: [],
        },
      ]
  }
}

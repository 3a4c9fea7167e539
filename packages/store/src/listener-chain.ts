/** Keeping a listener and its chain together, which are written one after the other. */
import { isDeepStrictEqual } from 'node:util'
import { type Chain, chainOfListener, listenerChainIdOf } from '@signalbox/contracts'
import { ConflictError } from '@signalbox/kit'
import type { ChainStore, KeptListener, ListenerStore } from './ports.ts'

/** Others change the same listener at the same time; each of them leaves it right. */
const MAX_ROUNDS = 20

export interface ListenerChainDeps {
  listeners: Pick<ListenerStore, 'get'>
  chains: Pick<ChainStore, 'get' | 'put' | 'delete'>
}

/**
 * Makes the listener's chain what the listener says now, and resolves to the listener; where there is none, its chain is deleted. The listener is
 * the truth: it is written (or deleted) first, and looked at again after the chain was, so that of two who change it at once the last to
 * look leaves the chain of the last change.
 */
export async function mendListenerChain(
  { listeners, chains }: ListenerChainDeps,
  accountKey: string,
  listenerId: string,
): Promise<KeptListener | undefined> {
  const chainId = listenerChainIdOf(listenerId)
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const [kept, found] = await Promise.all([
      listeners.get(accountKey, listenerId),
      chains.get(accountKey, chainId),
    ])
    if (!kept) {
      if (found?.steps[0]?.config.listener_id === listenerId) {
        await chains.delete(accountKey, chainId)
      }
      return undefined
    }
    const wanted = chainOfListener(kept.listener)
    if (found && isSame(wanted, found)) return kept
    await chains.put(accountKey, chainId, wanted)
  }
  throw new ConflictError(`the listener "${listenerId}" is being changed by others: try again`)
}

/** n.b. through JSON, as the chain that was found came. */
function isSame(wanted: Chain, { name, enabled, trigger, steps }: Chain): boolean {
  const asKept: unknown = JSON.parse(JSON.stringify(wanted))
  return isDeepStrictEqual(asKept, { name, enabled, trigger, steps })
}

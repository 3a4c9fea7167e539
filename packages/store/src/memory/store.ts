/** The memory engine: one process, nothing to install, gone when the process is. */
import { type Log, silentLog } from '@signalbox/kit'
import { resolveBounds } from '../bounds.ts'
import type { Store, StoreBounds } from '../ports.ts'
import type { MemoryLifetime } from './accounts.ts'
import { createMemoryApiKeys } from './api-keys.ts'
import { createMemoryBiographies } from './biographies.ts'
import { createMemoryCatalog } from './catalog.ts'
import { createMemoryChains } from './chains.ts'
import { createMemoryChannels } from './channels.ts'
import { createMemoryContacts } from './contacts.ts'
import { createMemoryDeadLetters } from './dead-letters.ts'
import { createMemoryDeliveries } from './deliveries.ts'
import { createMemoryDocuments } from './documents.ts'
import { createMemoryListeners } from './listeners.ts'
import { createMemoryPresence } from './presence.ts'
import { createMemoryProgress } from './progress.ts'
import { createMemoryInterest, createMemoryRoster } from './relaying.ts'
import { createMemoryRevocations } from './revocations.ts'

/** Never unavailable until it is closed. `log` hears of listeners that throw; default: nobody does. */
export function createMemoryStore(bounds?: StoreBounds, log: Log = silentLog): Store {
  const resolved = resolveBounds(bounds)
  const lifetime: MemoryLifetime = { closed: false }
  const biographies = createMemoryBiographies(resolved, { lifetime })
  const close = async () => {
    lifetime.closed = true
  }

  return {
    chains: createMemoryChains(resolved, { lifetime, log }),
    catalog: createMemoryCatalog({ lifetime }),
    contacts: createMemoryContacts(resolved, { lifetime }),
    channels: createMemoryChannels(resolved, { lifetime, log }),
    interest: createMemoryInterest({ lifetime }),
    relays: createMemoryRoster({ lifetime }),
    apiKeys: createMemoryApiKeys(resolved, { lifetime }),
    revocations: createMemoryRevocations({ lifetime, log }),
    presence: createMemoryPresence({ lifetime }),
    biographies,
    deadLetters: createMemoryDeadLetters(resolved, { lifetime }),
    listeners: createMemoryListeners(resolved, { lifetime, log }),
    deliveries: createMemoryDeliveries(resolved, { lifetime }),
    documents: createMemoryDocuments(resolved, { lifetime }),
    progress: createMemoryProgress(resolved, { lifetime, biographies }),
    unavailableReason: () => (lifetime.closed ? 'the store is closed' : undefined),
    close,
    [Symbol.asyncDispose]: close,
  }
}

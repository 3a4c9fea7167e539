/** The handler catalog in memory. */
import type { CatalogEntry, HandlerDescription } from '@signalbox/contracts'
import type { HandlerCatalog } from '../ports.ts'
import { checkOpen, type MemoryLifetime } from './accounts.ts'
import { SortedMap } from './sorted-map.ts'

interface KnownHandler {
  /** JSON text. */
  description: string
  registeredAt: string
  /** Worker to the time at which it is gone unless it registers again, in Unix milliseconds. */
  workers: Map<string, number>
}

export function createMemoryCatalog({ lifetime }: { lifetime: MemoryLifetime }): HandlerCatalog {
  const known = new SortedMap<KnownHandler>()
  const handlers = () => {
    checkOpen(lifetime)
    return known
  }

  return {
    async register(description, { workerId, ttlMs }) {
      const previous = handlers().get(description.name)
      const workers = previous?.workers ?? new Map<string, number>()
      const nowMs = Date.now()
      for (const [id, expiresAt] of workers) if (expiresAt <= nowMs) workers.delete(id)
      workers.set(workerId, nowMs + ttlMs)
      known.set(description.name, {
        description: JSON.stringify(description),
        registeredAt: previous?.registeredAt ?? new Date(nowMs).toISOString(),
        workers,
      })
    },

    async unregister(name, workerId) {
      handlers().get(name)?.workers.delete(workerId)
    },

    async get(name) {
      const handler = handlers().get(name)
      return handler && entryOf(handler)
    },

    async list() {
      return handlers()
        .entriesAfter(undefined, Number.POSITIVE_INFINITY)
        .map(([, handler]) => entryOf(handler))
    },

    async remove(name) {
      return handlers().delete(name)
    },
  }
}

function entryOf(handler: KnownHandler): CatalogEntry {
  const nowMs = Date.now()
  const description = JSON.parse(handler.description) as HandlerDescription
  return {
    ...description,
    workers: [...handler.workers]
      .filter(([, expiresAt]) => expiresAt > nowMs)
      .sort()
      .map(([workerId, expiresAt]) => ({
        worker_id: workerId,
        expires_at: new Date(expiresAt).toISOString(),
      })),
    registered_at: handler.registeredAt,
  }
}

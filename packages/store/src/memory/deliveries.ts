/** Deliveries in memory. */
import type { Delivery } from '@signalbox/contracts'
import { MAX_DELIVERIES_OF_EVENT, MAX_SCANNED_DELIVERIES } from '../bounds.ts'
import { countsOf, isAskedFor, isDelivered } from '../deliveries.ts'
import type { DeliveryStore } from '../ports.ts'
import { Accounts, type MemoryLifetime } from './accounts.ts'
import { pageOfNewest } from './newest-first.ts'

interface Kept {
  /** JSON text. */
  text: string
  sinceMs: number
  sequence: number
}

class ListenerDeliveries {
  /** Oldest first. */
  readonly deliveries = new Map<string, Kept>()
  delivered = 0
  failed = 0
  forgotten = 0
  sequence = 0
  failingSince: string | undefined
}

class AccountDeliveries {
  readonly byListener = new Map<string, ListenerDeliveries>()
  /** Where the deliveries of an event are, in their order; one whose time is over leads nowhere. */
  readonly byEvent = new Map<string, { listenerId: string; deliveryId: string }[]>()
}

export function createMemoryDeliveries(
  { maxDeliveries, deliveryTtlMs }: { maxDeliveries: number; deliveryTtlMs: number },
  { lifetime }: { lifetime: MemoryLifetime },
): DeliveryStore {
  const accounts = new Accounts(lifetime, () => new AccountDeliveries())

  /** The listener's without what is too old or too many. */
  const current = (accountKey: string, listenerId: string): ListenerDeliveries => {
    const account = accounts.of(accountKey)
    const listener = account.byListener.get(listenerId) ?? new ListenerDeliveries()
    account.byListener.set(listenerId, listener)
    const expiredBefore = Date.now() - deliveryTtlMs
    for (const [id, kept] of listener.deliveries) {
      if (listener.deliveries.size <= maxDeliveries && kept.sinceMs > expiredBefore) break
      listener.deliveries.delete(id)
      listener.forgotten += 1
      dropOfEvent(account, parse(kept))
    }
    return listener
  }

  return {
    async record(accountKey, deliveries) {
      const account = accounts.of(accountKey)
      for (const delivery of deliveries) {
        const { listener_id: listenerId, delivery_id: deliveryId, event_id: eventId } = delivery
        const listener = current(accountKey, listenerId)
        if (listener.deliveries.has(deliveryId)) continue
        listener.sequence += 1
        listener.deliveries.set(deliveryId, {
          text: JSON.stringify(delivery),
          sinceMs: Date.now(),
          sequence: listener.sequence,
        })
        if (isDelivered(delivery)) {
          listener.delivered += 1
          listener.failingSince = undefined
        } else {
          listener.failed += 1
          listener.failingSince ??= delivery.at
        }
        const ofEvent = account.byEvent.get(eventId) ?? []
        ofEvent.push({ listenerId, deliveryId })
        account.byEvent.set(eventId, ofEvent.slice(-MAX_DELIVERIES_OF_EVENT))
        current(accountKey, listenerId)
      }
    },

    async get(accountKey, listenerId, deliveryId) {
      const kept = current(accountKey, listenerId).deliveries.get(deliveryId)
      return kept && parse(kept)
    },

    async list(accountKey, listenerId, filter, pageOptions) {
      return pageOfNewest(
        {
          ...pageOptions,
          listing: `deliveries ${listenerId}`,
          maxScanned: MAX_SCANNED_DELIVERIES,
        },
        current(accountKey, listenerId).deliveries.values(),
        parse,
        (delivery) => isAskedFor(delivery, filter),
      )
    },

    async ofEvent(accountKey, eventId) {
      const places = accounts.of(accountKey).byEvent.get(eventId) ?? []
      return [...places].flatMap(({ listenerId, deliveryId }) => {
        const kept = current(accountKey, listenerId).deliveries.get(deliveryId)
        return kept ? [parse(kept)] : []
      })
    },

    async counts(accountKey, listenerId) {
      const { failingSince, ...counts } = current(accountKey, listenerId)
      return countsOf({
        ...counts,
        ...(failingSince === undefined ? {} : { failing_since: failingSince }),
      })
    },

    async clearFailing(accountKey, listenerId) {
      current(accountKey, listenerId).failingSince = undefined
    },

    async forget(accountKey, listenerId) {
      const account = accounts.of(accountKey)
      const listener = account.byListener.get(listenerId)
      account.byListener.delete(listenerId)
      for (const kept of listener?.deliveries.values() ?? []) dropOfEvent(account, parse(kept))
    },
  }
}

function dropOfEvent(account: AccountDeliveries, { event_id, delivery_id }: Delivery): void {
  const left = account.byEvent.get(event_id)?.filter(({ deliveryId }) => deliveryId !== delivery_id)
  if (left && left.length > 0) account.byEvent.set(event_id, left)
  else account.byEvent.delete(event_id)
}

function parse({ text }: Kept): Delivery {
  return JSON.parse(text) as Delivery
}

/** What both engines do with deliveries: which a filter asks for, and the counts. */
import type { Delivery, DeliveryCounts } from '@signalbox/contracts'
import type { DeliveryFilter } from './ports.ts'

export function isDelivered({ outcome }: Delivery): boolean {
  return outcome === 'delivered'
}

export function isAskedFor(delivery: Delivery, filter: DeliveryFilter): boolean {
  const { outcome, eventId, sinceMs, untilMs } = filter
  const atMs = Date.parse(delivery.at)
  return (
    (outcome === undefined ||
      (outcome === 'failed' ? !isDelivered(delivery) : delivery.outcome === outcome)) &&
    (eventId === undefined || delivery.event_id === eventId) &&
    (sinceMs === undefined || atMs >= sinceMs) &&
    (untilMs === undefined || atMs < untilMs)
  )
}

export function countsOf(
  counts: Pick<DeliveryCounts, 'delivered' | 'failed' | 'forgotten' | 'failing_since'>,
): DeliveryCounts {
  const { delivered, failed, forgotten, failing_since } = counts
  const all = delivered + failed
  return {
    delivered,
    failed,
    forgotten,
    ...(failing_since === undefined ? {} : { failing_since }),
    ...(all === 0 ? {} : { success_rate: delivered / all }),
  }
}

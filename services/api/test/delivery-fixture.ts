/** A delivery, as a worker records it. */
import type { Delivery } from '@signalbox/contracts'

export const AT = '2026-03-04T05:06:07.890Z'

export function aDelivery(
  listenerId: string,
  id: string,
  overrides: Partial<Delivery> = {},
): Delivery {
  return {
    delivery_id: id,
    listener_id: listenerId,
    event_id: 'e-1',
    conversation_type: 'poll',
    conversation_key: 'spring',
    event_type: 'poll_complete',
    run_id: 'r',
    invocation_id: 'i',
    attempt: 1,
    at: AT,
    duration_ms: 1,
    outcome: 'delivered',
    request: {},
    ...overrides,
  }
}

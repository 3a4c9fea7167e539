/** When failed deliveries are tried again: the worker that made the attempt cannot know, the biography of the event does. */
import { type Delivery, invocationIdOf } from '@signalbox/contracts'
import type { BiographyStore } from '@signalbox/store'

/** The same deliveries, in their order, with `next_retry_at` where the biography has a time for it. */
export async function withNextRetries(
  accountKey: string,
  deliveries: readonly Delivery[],
  biographies: Pick<BiographyStore, 'get'>,
): Promise<Delivery[]> {
  const failed = deliveries.filter(({ outcome }) => outcome !== 'delivered')
  const eventIds = new Set(failed.map(({ event_id }) => event_id))
  const found = await Promise.all([...eventIds].map((id) => biographies.get(accountKey, id)))
  const retries = new Map<string, string>()
  for (const { run_id, steps } of found.flatMap((biography) => biography?.runs ?? [])) {
    for (const { step_id, attempt, retry_at } of steps) {
      if (retry_at) retries.set(attemptKey(invocationIdOf(run_id, step_id), attempt), retry_at)
    }
  }
  return deliveries.map((delivery) => {
    const at = retries.get(attemptKey(delivery.invocation_id, delivery.attempt))
    return at === undefined ? delivery : { ...delivery, next_retry_at: at }
  })
}

function attemptKey(invocationId: string, attempt: number): string {
  return `${invocationId} ${attempt}`
}

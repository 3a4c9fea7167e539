/**
 * Invocations on their way to the queues of their handlers, a lane per handler: one that is slow or dead holds up no other.
 *
 * Invocations of a batch wait for each other, since their message is acknowledged as a whole. So a batch is as long as its
 * handler is fast: it may take 50 ms, were its invocations done one after the other. A handler that takes longer than that, or of
 * which nothing is known yet, gets batches of one.
 */
import { createOutbox, type Publisher, type PublishOutcome } from '@signalbox/broker'
import { type HandlerInvocation, LIMITS } from '@signalbox/contracts'
import { LRUCache } from 'lru-cache'

const BATCH_DURATION_MS = 50
/** How much of the average the latest duration is. */
const WEIGHT = 0.2
/** Handlers whose average is known; forgetting one costs it a few batches of one. */
const MAX_HANDLERS = 1_000

export interface InvocationOutbox {
  /** Resolves after the confirm. `unroutable`: no worker has ever offered the handler. */
  send(invocation: HandlerInvocation): Promise<PublishOutcome>
  /** What has gathered for the handler leaves at once. */
  release(handler: string): void
  /** Tells how long the handler took for an invocation. */
  observe(handler: string, durationMs: number): void
}

export function createInvocationOutbox(deps: {
  publisher: Pick<Publisher, 'invocations'>
}): InvocationOutbox {
  const averagesMs = new LRUCache<string, number>({ max: MAX_HANDLERS })
  const outbox = createOutbox<HandlerInvocation>(
    { batchSizeOf },
    { publish: (_handler, { items, json }) => deps.publisher.invocations(items, { json }) },
  )

  function batchSizeOf(handler: string): number {
    const averageMs = averagesMs.get(handler)
    if (averageMs === undefined) return 1
    const size = Math.floor(BATCH_DURATION_MS / averageMs)
    return Math.max(1, Math.min(LIMITS.maxBatchItems, size))
  }

  return {
    send: (invocation) => outbox.send(invocation.handler, invocation),
    release: (handler) => outbox.release(handler),
    observe(handler, durationMs) {
      const averageMs = averagesMs.get(handler) ?? durationMs
      averagesMs.set(handler, averageMs + WEIGHT * (durationMs - averageMs))
    },
  }
}

/**
 * Sending events to one listener that asked for them again: a run of its own for each, through the same queues, retries and dead letters as any
 * other.
 *
 * The run's identity follows from the listener, the event and the *request*, so asking twice under one request sends once: what is sent
 * again is the same invocation, and says that it may be a repetition.
 */
import type { Publisher } from '@signalbox/broker'
import { createChainIndex, resumeRun } from '@signalbox/chains'
import {
  type Delivery,
  derivedUuid,
  type EventSummary,
  listenerChainIdOf,
  type ResendReason,
  type StoredChain,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { AppError, ConflictError, isRetryable, NotFoundError } from '@signalbox/kit'
import type {
  BiographyStore,
  ChainStore,
  DeliveryFilter,
  DeliveryStore,
  KeptListener,
} from '@signalbox/store'
import { planMove, type ReplayPlan } from './replay-plan.ts'
import { type ReplaysDeps, send } from './replays.ts'

/** Events under way at once; they are sent in their order. */
const CONCURRENCY = 16
/** Pages of a listing that one request reads: more than there are of what is kept by default. */
const MAX_PAGES = 100
const PAGE_SIZE = 1_000
/** Errors shown in one answer; there may be more. */
const MAX_ERRORS = 20

export interface ResendsDeps extends Pick<ReplaysDeps, 'broker'> {
  keeping: { find(accountKey: string, listenerId: string): Promise<KeptListener> }
  chains: Pick<ChainStore, 'get'>
  biographies: Pick<BiographyStore, 'get' | 'list' | 'record'>
  deliveries: Pick<DeliveryStore, 'get' | 'list' | 'ofEvent'>
  publisher: Pick<Publisher, 'invocations' | 'event'>
}

/** What came of several events. */
export interface ResendOutcome {
  sent: number
  /** Not for this listener, or delivered since. */
  skipped: number
  /** No longer kept. */
  gone: number
  failed: number
  errors: { event_id: string; code: string; message: string }[]
}

export interface Resent {
  event_id: string
  run_id: string
}

/** Where an event is sent to, and who asks. */
interface Request {
  accountKey: string
  listenerId: string
  chain: StoredChain
  requestId: string
  reason: ResendReason
}

export type Resends = ReturnType<typeof createResends>

export function createResends(deps: ResendsDeps) {
  const { keeping, chains, biographies, deliveries } = deps

  /** Throws `ConflictError` for a listener that is not active: what is sent would only wait. */
  async function chainOf(accountKey: string, listenerId: string): Promise<StoredChain> {
    const { listener } = await keeping.find(accountKey, listenerId)
    if (listener.state !== 'active') {
      throw new ConflictError(`the listener "${listenerId}" is ${listener.state}: resume it first`)
    }
    const chain = await chains.get(accountKey, listenerChainIdOf(listenerId))
    if (chain) return chain
    throw new ConflictError(`the listener "${listenerId}" is being changed: try again`)
  }

  async function resend(
    event: VumiApiEvent,
    { accountKey, listenerId, chain, requestId, reason }: Request,
  ): Promise<Resent> {
    const at = new Date().toISOString()
    const { chain_id, version, name, steps } = chain
    const run_id = derivedUuid('resent_run', accountKey, listenerId, event.event_id, requestId)
    const move = resumeRun({
      run_id,
      event,
      results: {},
      chain: { chain_id, version, name, steps },
      step_index: 0,
    })
    const new_run = { chain_id, name, version, run_id }
    const plan: Pick<ReplayPlan, 'send' | 'facts'> = planMove(
      move,
      { fact: 'resent', at, listener_id: listenerId, reason, new_run },
      at,
    )
    await send(plan, deps)
    const received = { fact: 'received', at, event } as const
    const facts = reason === 'test' ? [received, ...plan.facts] : plan.facts
    await biographies.record([{ accountKey, eventId: event.event_id, facts }])
    return { event_id: event.event_id, run_id }
  }

  /** In their order. Rejects at the first error that may pass; then all of it may be done again. */
  async function resendAll(
    eventIds: readonly string[],
    request: Request,
    isWanted: (event: VumiApiEvent) => boolean | Promise<boolean>,
  ): Promise<ResendOutcome> {
    const outcome: ResendOutcome = { sent: 0, skipped: 0, gone: 0, failed: 0, errors: [] }
    const find = async (eventId: string): Promise<VumiApiEvent | 'gone' | 'skipped'> => {
      const event = (await biographies.get(request.accountKey, eventId))?.event
      if (!event) return 'gone'
      return (await isWanted(event)) ? event : 'skipped'
    }
    for (let start = 0; start < eventIds.length; start += CONCURRENCY) {
      const found = await Promise.all(eventIds.slice(start, start + CONCURRENCY).map(find))
      outcome.gone += found.filter((event) => event === 'gone').length
      outcome.skipped += found.filter((event) => event === 'skipped').length
      const wanted = found.filter((event) => typeof event === 'object')
      const ends = await Promise.allSettled(wanted.map((event) => resend(event, request)))
      for (const [index, end] of ends.entries()) count(end, wanted[index]!, outcome)
    }
    return outcome
  }

  /** Throws what may pass. */
  function count(
    end: PromiseSettledResult<Resent>,
    { event_id }: VumiApiEvent,
    outcome: ResendOutcome,
  ): void {
    if (end.status === 'fulfilled') {
      outcome.sent += 1
      return
    }
    const error: unknown = end.reason
    if (!(error instanceof AppError) || isRetryable(error)) throw error
    outcome.failed += 1
    const { code, message } = error
    if (outcome.errors.length < MAX_ERRORS) outcome.errors.push({ event_id, code, message })
  }

  async function eventOf(accountKey: string, eventId: string): Promise<VumiApiEvent> {
    const biography = await biographies.get(accountKey, eventId)
    if (biography) return biography.event
    throw new NotFoundError(`the event "${eventId}" is no longer kept`)
  }

  return {
    /** An event for this listener alone. */
    async test(accountKey: string, listenerId: string, event: VumiApiEvent): Promise<Resent> {
      const chain = await chainOf(accountKey, listenerId)
      const requestId = event.event_id
      return resend(event, { accountKey, listenerId, chain, requestId, reason: 'test' })
    },

    /** Once for each delivery. */
    async retry(accountKey: string, listenerId: string, deliveryId: string): Promise<Resent> {
      const chain = await chainOf(accountKey, listenerId)
      const delivery = await deliveries.get(accountKey, listenerId, deliveryId)
      if (!delivery) {
        throw new NotFoundError(
          `there is no delivery "${deliveryId}" of this listener, or it is no longer kept`,
        )
      }
      const event = await eventOf(accountKey, delivery.event_id)
      return resend(event, {
        accountKey,
        listenerId,
        chain,
        requestId: deliveryId,
        reason: 'retry',
      })
    },

    /** The events of one page of the listener's deliveries, the oldest first, each once. */
    async replay(
      accountKey: string,
      listenerId: string,
      {
        requestId,
        filter,
        ...page
      }: { requestId: string; filter: DeliveryFilter; limit: number; cursor?: string | undefined },
    ): Promise<ResendOutcome & { next?: string }> {
      const chain = await chainOf(accountKey, listenerId)
      const { items, next } = await deliveries.list(accountKey, listenerId, filter, {
        limit: page.limit,
        ...(page.cursor === undefined ? {} : { cursor: page.cursor }),
      })
      const eventIds = new Set(items.toReversed().map(({ event_id }) => event_id))
      const request = { accountKey, listenerId, chain, requestId, reason: 'replay' } as const
      const wasDelivered = async ({ event_id }: VumiApiEvent) =>
        (await deliveries.ofEvent(accountKey, event_id)).some(
          (delivery: Delivery) =>
            delivery.listener_id === listenerId && delivery.outcome === 'delivered',
        )
      const outcome = await resendAll([...eventIds], request, async (event) =>
        filter.outcome === 'failed' ? !(await wasDelivered(event)) : true,
      )
      return { ...outcome, ...(next === undefined ? {} : { next }) }
    },

    /** Those of a conversation that are for this listener, the oldest first, at most `limit` of them. */
    async republish(
      accountKey: string,
      listenerId: string,
      {
        requestId,
        conversationKey,
        from,
        limit,
      }: {
        requestId: string
        conversationKey: string
        from: { sinceMs: number } | { afterEventId: string }
        limit: number
      },
    ): Promise<ResendOutcome & { next?: string }> {
      const chain = await chainOf(accountKey, listenerId)
      const index = createChainIndex()
      index.upsert(chain)
      const missed = await eventsFrom(accountKey, conversationKey, from)
      const eventIds = missed.slice(0, limit)
      const request = { accountKey, listenerId, chain, requestId, reason: 'republish' } as const
      const outcome = await resendAll(
        eventIds,
        request,
        (event) => index.match(event).matched.length > 0,
      )
      const last = eventIds.at(-1)
      return { ...outcome, ...(missed.length > limit && last !== undefined ? { next: last } : {}) }
    },
  }

  /** The identities of a conversation's events since then, the oldest first. */
  async function eventsFrom(
    accountKey: string,
    conversationKey: string,
    from: { sinceMs: number } | { afterEventId: string },
  ): Promise<string[]> {
    const isBefore = (event: EventSummary) =>
      'sinceMs' in from
        ? Date.parse(event.received_at) < from.sinceMs
        : event.event_id === from.afterEventId
    const newestFirst: string[] = []
    let cursor: string | undefined
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const { items, next } = await biographies.list(
        accountKey,
        { conversationKey },
        { limit: PAGE_SIZE, ...(cursor === undefined ? {} : { cursor }) },
      )
      const end = items.findIndex(isBefore)
      newestFirst.push(...items.slice(0, end === -1 ? undefined : end).map((item) => item.event_id))
      if (end !== -1) return newestFirst.reverse()
      cursor = next
      if (cursor === undefined) break
    }
    if ('sinceMs' in from) return newestFirst.reverse()
    throw new NotFoundError(
      `the event "${from.afterEventId}" is not one of this conversation, or is no longer kept: ask by time, with since`,
    )
  }
}

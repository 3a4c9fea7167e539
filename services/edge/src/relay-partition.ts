/**
 * A partition of the relay: from one queue into the channels, in order.
 *
 * Of all edges one is the queue's active consumer, so that there is one order. What arrives while an append is
 * under way goes, in order, into the next one; an idle partition appends at once. A delivery is acknowledged when its event is kept.
 * While the store cannot be reached the partition holds what it has, and the queue keeps the rest. It may be away for this edge alone: after
 * `HOLD_MS` the partition *stands aside*, gives everything back to the queue, in order, and does not consume until the store is there again.
 *
 * A state change goes into the channel of its person, and every event into that of its account when there is interest in it. That is asked in
 * the same round trip as the append: an account that nobody was interested in the last time, and somebody is now, gets its events in another.
 */
import { setImmediate as laterTurn } from 'node:timers/promises'
import type { Broker, Consumer, Delivery, Settlement } from '@signalbox/broker'
import { AppError, backoffDelayMs, delay, isRetryable, type Log } from '@signalbox/kit'
import type { ChannelInterest, ChannelStore } from '@signalbox/store'
import type { EdgeMetrics } from './metrics.ts'
import { type RelayedEvent, readDelivery } from './relayed-event.ts'

/** Events in one append. */
const MAX_BATCH = 64

/** Deliveries in hand: the batch under way and what gathers meanwhile. */
const PREFETCH = 4 * MAX_BATCH

/** The longest that a partition holds what it cannot keep, while another edge perhaps could. */
const HOLD_MS = 3_000

/**
 * Between giving a queue up and consuming it again, when the store seems to be there: what is given back counts towards the delivery limit (20), so that
 * one which answers and keeps nothing must not be asked often.
 */
const ASIDE = { initialDelayMs: 500, maxDelayMs: 300_000 }

/** Between looking whether the store is there. */
const ASIDE_CHECK_MS = 100

const ACK: Settlement = { kind: 'ack' }
const REQUEUE: Settlement = { kind: 'requeue' }

export interface RelayPartitionDeps {
  broker: Pick<Broker, 'topology' | 'consume'>
  channels: Pick<ChannelStore, 'append'>
  interest: Pick<ChannelInterest, 'among'>
  log: Log
  metrics: Pick<EdgeMetrics, 'relayed'>
  /** Why the store cannot be reached, or undefined. */
  storeUnavailableReason(): string | undefined
  /** An event came that only the account's binding can have brought, and there is no interest in the account. */
  onOrphan(accountKey: string): void
}

export interface RelayPartitionOptions {
  /** The longest that it holds what it cannot keep; default 3,000. */
  holdMs?: number
}

/** Disposing it: no more deliveries, the append under way ends, what is held then goes back to the queue, in its order. */
export interface RelayPartition extends AsyncDisposable {
  readonly queue: string
  readonly isConsuming: boolean
  /** Why it is not relaying, or undefined. For readiness. */
  unavailableReason(): string | undefined
  /** Gives what it holds back to the queue, in its order, and consumes again, behind everybody who waits for the queue already. */
  stepBack(): Promise<void>
}

interface Waiting {
  delivery: Delivery
  event: RelayedEvent
  settle(settlement: Settlement): void
}

/** From consuming to not: `over` is aborted when no more appends may begin. */
interface Term {
  over: AbortController
  started: Promise<Consumer | undefined>
}

/** Consumes as soon as the broker can be reached. */
export function startRelayPartition(
  queue: string,
  deps: RelayPartitionDeps,
  { holdMs = HOLD_MS }: RelayPartitionOptions = {},
): RelayPartition {
  const { broker, channels, interest, log, metrics } = deps
  const waiting: Waiting[] = []
  /** Accounts that there was interest in when it was asked for the last time. */
  const interesting = new Set<string>()
  let consumer: Consumer | undefined
  let pumping: Promise<void> = Promise.resolve()
  let isPumping = false
  let isSteppingBack = false
  /** How often it stood aside since something was kept. */
  let timesAside = 0
  let asideReason: string | undefined
  let holdReason: string | undefined
  let term = begin()
  let changing: Promise<void> = Promise.resolve()
  const closing = new AbortController()

  function begin(): Term {
    const over = new AbortController()
    return { over, started: consume(over.signal) }
  }

  async function consume(over: AbortSignal): Promise<Consumer | undefined> {
    for (let attempt = 1; !over.aborted; attempt++) {
      try {
        const consuming = await broker.consume(queue, { prefetch: PREFETCH }, onDelivery)
        if (over.aborted) await consuming.release()
        else consumer = consuming
        return consumer
      } catch (error) {
        log.warn({ err: error, queue }, 'relay.consume_failed')
        await delay(backoffDelayMs(attempt), over)
      }
    }
    return undefined
  }

  async function onDelivery(delivery: Delivery): Promise<Settlement> {
    const reading = readDelivery(delivery)
    if ('invalid' in reading) {
      // The dispatcher takes the same message from its own queue and makes the dead letter of it; two would be one too many.
      log.debug({ reason: reading.invalid }, 'relay.invalid_event')
      metrics.relayed.inc({ outcome: 'invalid' })
      return ACK
    }
    const { event } = reading
    if (event.misfit !== undefined) {
      // A sound event all the same, and chains may run for it; only nobody can be shown a change.
      const { accountKey, eventId, misfit: reason } = event
      log.warn({ accountKey, eventId, reason }, 'relay.not_a_state_change')
    }
    return new Promise((resolve) => {
      waiting.push({ delivery, event, settle: resolve })
      if (!isPumping) pumping = pump(term.over.signal)
    })
  }

  /** One append at a time, or two could overtake each other. */
  async function pump(over: AbortSignal): Promise<void> {
    isPumping = true
    while (waiting.length > 0 && !over.aborted)
      await settleBatch(waiting.splice(0, MAX_BATCH), over)
    isPumping = false
  }

  async function settleBatch(batch: readonly Waiting[], over: AbortSignal): Promise<void> {
    const failure = await keep(batch, over)
    if (failure === undefined) {
      for (const { settle } of batch) settle(ACK)
    } else if (over.aborted) {
      waiting.unshift(...batch)
    } else if (batch.length > 1) {
      // One of them cannot be kept; alone, each of the others can, and what was kept already is not kept twice.
      for (const single of batch) await settleBatch([single], over)
    } else {
      for (const single of batch) single.settle(deadLetter(single, failure))
    }
  }

  /** Resolves to undefined when all are kept, to the error when trying again cannot help or the term is over. */
  async function keep(batch: readonly Waiting[], over: AbortSignal): Promise<unknown> {
    const startedMs = performance.now()
    for (let attempt = 1; ; attempt++) {
      // n.b. what became void is delivered again, perhaps to another relay: kept from here it could come after what follows it.
      const sound = batch.filter(({ delivery }) => !delivery.isVoid)
      try {
        await append(sound)
        holdReason = undefined
        timesAside = 0
        return undefined
      } catch (error) {
        if (!isRetryable(error) || over.aborted) {
          holdReason = undefined
          return error
        }
        if (holdReason === undefined) log.warn({ err: error, queue }, 'relay.holding')
        holdReason = (error as Error).message
        if (performance.now() - startedMs >= holdMs) standAside(holdReason)
        await delay(backoffDelayMs(attempt), over)
      }
    }
  }

  async function append(batch: readonly Waiting[]): Promise<void> {
    const accounts = [...new Set(batch.map(({ event }) => event.accountKey))]
    const known = new Set(accounts.filter((account) => interesting.has(account)))
    const entries = batch.flatMap(({ event }) => [
      ...(event.change ? [event.change] : []),
      ...(known.has(event.accountKey) ? [event.whole()] : []),
    ])
    const [among] = await Promise.all([
      interest.among(accounts),
      entries.length > 0 ? channels.append(entries) : undefined,
    ])
    for (const account of accounts) {
      if (among.has(account)) interesting.add(account)
      else interesting.delete(account)
    }
    const late = batch.filter(
      ({ event: { accountKey } }) => among.has(accountKey) && !known.has(accountKey),
    )
    if (late.length > 0) await channels.append(late.map(({ event }) => event.whole()))
    for (const one of batch) count(one, among.has(one.event.accountKey))
  }

  function count({ event, delivery }: Waiting, isInteresting: boolean): void {
    if (event.change || isInteresting) metrics.relayed.inc({ outcome: 'append' })
    else metrics.relayed.inc({ outcome: event.misfit === undefined ? 'ignored' : 'misfit' })
    if (isInteresting) return
    const accountKey = broker.topology.accountOfRoute(delivery)
    if (accountKey !== undefined) deps.onOrphan(accountKey)
  }

  function deadLetter({ event }: Waiting, failure: unknown): Settlement {
    const reason = {
      code: failure instanceof AppError ? failure.code : 'SB_INTERNAL',
      message: `the event could not be kept for the edges: ${(failure as Error).message}`,
      about: 'event' as const,
      account_key: event.accountKey,
      event_id: event.eventId,
    }
    const { account_key: accountKey, event_id: eventId } = reason
    log.error({ err: failure, accountKey, eventId }, 'relay.failed')
    metrics.relayed.inc({ outcome: 'dead_letter' })
    return { kind: 'dead_letter', reason }
  }

  /** n.b. never by closing the consumer: the next one would get what follows while this one still appends what it has in hand. */
  async function end(): Promise<void> {
    term.over.abort()
    await pumping
    await laterTurn()
    const released = consumer
    consumer = undefined
    await released?.release()
    for (const { settle } of waiting.splice(0)) settle(REQUEUE)
  }

  function standAside(reason: string): void {
    if (asideReason !== undefined) return
    asideReason = reason
    timesAside++
    log.warn({ queue, reason }, 'relay.stands_aside')
    changing = changing.then(async () => {
      await end()
      await delay(backoffDelayMs(timesAside, ASIDE), closing.signal)
      while (!closing.signal.aborted && deps.storeUnavailableReason() !== undefined) {
        await delay(ASIDE_CHECK_MS, closing.signal)
      }
      asideReason = undefined
      if (!closed) term = begin()
    })
  }

  let closed: Promise<void> | undefined
  return {
    queue,
    get isConsuming() {
      return consumer?.state === 'consuming'
    },
    unavailableReason() {
      if (asideReason !== undefined) return `${queue}: standing aside: ${asideReason}`
      if (holdReason !== undefined) return `holding ${waiting.length} events: ${holdReason}`
      if (isSteppingBack) return undefined
      const state = closed ? 'closed' : (consumer?.state ?? 'connecting')
      return state === 'consuming' ? undefined : `${queue}: ${state}`
    },
    stepBack() {
      changing = changing.then(async () => {
        if (closed) return
        isSteppingBack = true
        await end()
        if (closed) return
        term = begin()
        void term.started.then(() => {
          isSteppingBack = false
        })
      })
      return changing
    },
    [Symbol.asyncDispose]() {
      closed ??= (async () => {
        closing.abort()
        term.over.abort()
        await changing
        await end()
      })()
      return closed
    },
  }
}

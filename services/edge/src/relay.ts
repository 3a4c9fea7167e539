/**
 * The relay: state changes from the events exchange into the channel of the person they are about, in order.
 *
 * Of all edges one is the active consumer of the relay's queue, so that there is one order. What arrives while an append is
 * under way goes, in order, into the next one; an idle relay appends at once. A delivery is acknowledged when its change is kept.
 * While the store cannot be reached the relay holds what it has, and the queue keeps the rest.
 */
import type { Broker, Consumer, Delivery, Settlement } from '@signalbox/broker'
import { AppError, backoffDelayMs, delay, isRetryable, type Log } from '@signalbox/kit'
import type { ChannelEntry, ChannelStore } from '@signalbox/store'
import type { EdgeMetrics } from './metrics.ts'
import { readDelivery } from './relayed-event.ts'

/** Entries in one append. */
const MAX_BATCH = 64

/** Deliveries in hand: the batch under way and what gathers meanwhile. */
const PREFETCH = 4 * MAX_BATCH

const ACK: Settlement = { kind: 'ack' }
const REQUEUE: Settlement = { kind: 'requeue' }

export interface RelayDeps {
  broker: Pick<Broker, 'topology' | 'consume'>
  channels: Pick<ChannelStore, 'append'>
  log: Log
  metrics: Pick<EdgeMetrics, 'relayed'>
}

/** Disposing it: no more deliveries, the append under way ends, what is held then goes back to the queue. */
export interface Relay extends AsyncDisposable {
  /** Why it is not relaying, or undefined. For readiness. */
  unavailableReason(): string | undefined
}

interface Waiting {
  delivery: Delivery
  entry: ChannelEntry
  settle(settlement: Settlement): void
}

/** Consumes as soon as the broker can be reached. */
export function startRelay({ broker, channels, log, metrics }: RelayDeps): Relay {
  const queue = broker.topology.queue.edgeRelay
  const closing = new AbortController()
  const waiting: Waiting[] = []
  let consumer: Consumer | undefined
  let pumping: Promise<void> = Promise.resolve()
  let isPumping = false
  let holdReason: string | undefined

  void consume()

  async function consume(): Promise<void> {
    for (let attempt = 1; !closing.signal.aborted; attempt++) {
      try {
        const consuming = await broker.consume(queue, { prefetch: PREFETCH }, onDelivery)
        if (closing.signal.aborted) await consuming.close()
        else consumer = consuming
        return
      } catch (error) {
        log.warn({ err: error, queue }, 'relay.consume_failed')
        await delay(backoffDelayMs(attempt), closing.signal)
      }
    }
  }

  async function onDelivery(delivery: Delivery): Promise<Settlement> {
    const reading = readDelivery(delivery)
    switch (reading.kind) {
      case 'append':
        return enqueue(delivery, reading.entry)
      case 'ignored':
        break
      case 'invalid':
        // The dispatcher takes the same message from its own queue and makes the dead letter of it; two would be one too many.
        log.debug({ reason: reading.reason }, 'relay.invalid_event')
        break
      case 'misfit':
        // A sound event all the same, and chains may run for it; only nobody can be shown a change.
        log.warn(
          { accountKey: reading.accountKey, eventId: reading.eventId, reason: reading.reason },
          'relay.not_a_state_change',
        )
        break
    }
    metrics.relayed.inc({ outcome: reading.kind })
    return ACK
  }

  function enqueue(delivery: Delivery, entry: ChannelEntry): Promise<Settlement> {
    return new Promise((resolve) => {
      waiting.push({ delivery, entry, settle: resolve })
      if (!isPumping) pumping = pump()
    })
  }

  /** One append at a time, or two could overtake each other. */
  async function pump(): Promise<void> {
    isPumping = true
    while (waiting.length > 0) await settleBatch(waiting.splice(0, MAX_BATCH))
    isPumping = false
  }

  async function settleBatch(batch: readonly Waiting[]): Promise<void> {
    const failure = await keep(batch)
    if (failure === undefined) {
      for (const { settle } of batch) settle(ACK)
    } else if (closing.signal.aborted) {
      for (const { settle } of batch) settle(REQUEUE)
    } else if (batch.length > 1) {
      // One of them cannot be kept; alone, each of the others can, and what was kept already is not kept twice.
      for (const single of batch) await settleBatch([single])
    } else {
      for (const single of batch) single.settle(deadLetter(single, failure))
    }
  }

  /** Resolves to undefined when all are kept, to the error when trying again cannot help or the relay is closing. */
  async function keep(batch: readonly Waiting[]): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      // n.b. what became void is delivered again, perhaps to another relay: kept from here it could come after what follows it.
      const entries = batch.filter(({ delivery }) => !delivery.isVoid).map(({ entry }) => entry)
      try {
        if (entries.length > 0) await channels.append(entries)
        holdReason = undefined
        metrics.relayed.inc({ outcome: 'append' }, entries.length)
        return undefined
      } catch (error) {
        if (!isRetryable(error) || closing.signal.aborted) {
          holdReason = undefined
          return error
        }
        if (holdReason === undefined) log.warn({ err: error, queue }, 'relay.holding')
        holdReason = (error as Error).message
        await delay(backoffDelayMs(attempt), closing.signal)
      }
    }
  }

  function deadLetter({ entry }: Waiting, failure: unknown): Settlement {
    const reason = {
      code: failure instanceof AppError ? failure.code : 'SB_INTERNAL',
      message: `the state change could not be kept: ${(failure as Error).message}`,
      about: 'event' as const,
      account_key: entry.channel.accountKey,
      event_id: entry.id,
    }
    log.error({ err: failure, accountKey: reason.account_key, eventId: entry.id }, 'relay.failed')
    metrics.relayed.inc({ outcome: 'dead_letter' })
    return { kind: 'dead_letter', reason }
  }

  async function close(): Promise<void> {
    // n.b. first no more deliveries: what goes back to the queue would otherwise come again at once, up to its delivery limit.
    await consumer?.pause().catch((error: unknown) => {
      log.debug({ err: error }, 'relay.pause_failed')
    })
    closing.abort()
    await consumer?.close()
    await pumping
  }

  let closed: Promise<void> | undefined
  return {
    unavailableReason() {
      if (holdReason !== undefined) return `holding ${waiting.length} state changes: ${holdReason}`
      const state = consumer?.state ?? 'connecting'
      return state === 'consuming' ? undefined : `${queue}: ${state}`
    },
    [Symbol.asyncDispose]() {
      closed ??= close()
      return closed
    },
  }
}

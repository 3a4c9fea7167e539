/**
 * Keeping dead letters: from the dead queue into the store, where people see and replay them.
 *
 * While the store is away a delivery is held, and the rest waits in the queue. Whatever is kept also ends its run in the biography: who
 * published the letter may have died before it said so, and RabbitMQ, which moves what came back too often, says nothing at all.
 */
import type { Delivery, Settlement, Topology } from '@signalbox/broker'
import {
  type BiographyFact,
  eventSchema,
  INSTALLATION_ACCOUNT,
  inTry,
  runContextIn,
} from '@signalbox/contracts'
import type { Log } from '@signalbox/kit'
import type {
  BiographyEntry,
  BiographyStore,
  DeadLetterStore,
  NewDeadLetter,
} from '@signalbox/store'
import { readDeadLetters } from './dead-letter-reading.ts'
import type { DispatcherMetrics } from './metrics.ts'

export interface DeadLetterKeepingDeps {
  topology: Topology
  deadLetters: Pick<DeadLetterStore, 'keep'>
  biographies: Pick<BiographyStore, 'record'>
  metrics: Pick<DispatcherMetrics, 'deadLetters' | 'deadLettersForgotten'>
  log: Log
}

/** Rejects with a retryable error when the store is away. Keeping a letter twice is harmless. */
export async function keepDeadLetters(
  delivery: Delivery,
  deps: DeadLetterKeepingDeps,
): Promise<Settlement> {
  const diedIn = delivery.death?.queue
  for (const letter of readDeadLetters(delivery, deps.topology)) {
    await keep(letter, deps)
    const entry = endOf(letter, diedIn === deps.topology.queue.dispatcherEvents)
    if (entry) await deps.biographies.record([entry])
  }
  return { kind: 'ack' }
}

async function keep(
  letter: NewDeadLetter,
  { deadLetters, metrics, log }: DeadLetterKeepingDeps,
): Promise<void> {
  const { account_key: accountKey, dead_letter_id: deadLetterId, code, about } = letter
  const { forgotten } = await deadLetters.keep(letter)
  metrics.deadLetters.inc({ about })
  metrics.deadLettersForgotten.inc(forgotten)
  log.debug({ accountKey, deadLetterId, code, about }, 'dead_letter.kept')
  if (forgotten > 0) log.warn({ accountKey, forgotten }, 'dead_letter.forgotten')
}

/** Undefined: nothing of an event's biography ends with it. */
function endOf(letter: NewDeadLetter, isEventItself: boolean): BiographyEntry | undefined {
  const { account_key: accountKey, body, code, message, at } = letter
  if (accountKey === INSTALLATION_ACCOUNT) return undefined
  const context = runContextIn(body)
  if (context && letter.about !== 'command') {
    const { run_id, event } = context
    const end: BiographyFact = {
      fact: 'run_ended',
      at,
      run_id,
      outcome: 'dead_lettered',
      error: { code, message },
    }
    return { accountKey, eventId: event.event_id, facts: inTry(context, [end]) }
  }
  const event = eventSchema.safeParse('json' in body ? body.json : undefined)
  if (!isEventItself || !event.success) return undefined
  return {
    accountKey,
    eventId: event.data.event_id,
    facts: [
      { fact: 'received', at, event: event.data },
      { fact: 'dead_lettered', at, code, message },
    ],
  }
}

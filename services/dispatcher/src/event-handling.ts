/** What the dispatcher does with an event: match it, start its runs, tell its biography. */
import { type Delivery, readEvent, readJson, type Settlement } from '@signalbox/broker'
import { loopError, type MatchOutcome, type Move, startRun } from '@signalbox/chains'
import type { BiographyFact, ChainSnapshot, VumiApiEvent } from '@signalbox/contracts'
import { AppError } from '@signalbox/kit'
import type { BiographyStore } from '@signalbox/store'
import { z } from 'zod'
import type { ChainCache } from './chain-cache.ts'
import { timestampOf } from './clock.ts'
import { type EffectivelyOnceDeps, effectivelyOnce, type Performed } from './effectively-once.ts'
import { type MoveDeps, type MoveOptions, performMove } from './moves.ts'

/** What can be told of a message that is no event. */
const identitySchema = z.object({
  account_key: z.string().exactOptional(),
  event_id: z.string().exactOptional(),
})

/** What an event leads to at once; its outcome is `null`. */
const DISPATCH = 'dispatch'

/** As the chains were when the event was matched first: whoever performs it again starts the same runs. */
interface Plan {
  matched: readonly ChainSnapshot[]
}

export interface EventHandlingDeps extends MoveDeps, EffectivelyOnceDeps {
  chains: Pick<ChainCache, 'current'>
  biographies: Pick<BiographyStore, 'record'>
}

/**
 * Rejects with a retryable error when store or broker are away: nothing is settled then, and it is to be handled again. `pass` counts how
 * often this delivery was, from 1.
 */
export async function handleEvent(
  delivery: Delivery,
  deps: EventHandlingDeps,
  pass = 1,
): Promise<Settlement> {
  let json: unknown
  let event: VumiApiEvent
  try {
    json = readJson(delivery.body, 'the event')
    event = readEvent(json, delivery)
  } catch (error) {
    return refuse(error, json, deps)
  }
  const loop = loopError(event)
  if (loop) return stopLoop(event, loop, deps)

  const index = await deps.chains.current(event.account_key)
  const match = index.match(event)
  const plan = planOf(match)
  const { traceparent } = delivery.properties
  const starts = startsOf(event, plan, traceparent)
  const facts = [receivedFact(event), matchedFact(match, starts)]
  const done = await effectivelyOnce(
    {
      accountKey: event.account_key,
      eventId: event.event_id,
      name: DISPATCH,
      plan,
      facts,
      foregone: match.matched.length === 0 ? { outcome: null, facts } : undefined,
      isRepeated: delivery.redelivered || pass > 1,
    },
    (begun, options) =>
      dispatch(begun === plan ? starts : startsOf(event, begun, traceparent), options, deps),
    deps,
  )
  if (done === 'duplicate') deps.metrics.duplicates.inc({ of: 'event' })
  else deps.metrics.events.inc({ outcome: outcomeOf(match) })
  return { kind: 'ack' }
}

/** The first moves of the runs of the chains that matched. */
function startsOf(event: VumiApiEvent, { matched }: Plan, traceparent: string | undefined): Move[] {
  return matched.map((chain) => startRun(event, chain, traceparent))
}

async function dispatch(
  starts: readonly Move[],
  options: MoveOptions,
  deps: EventHandlingDeps,
): Promise<Performed> {
  const facts = await Promise.all(starts.map((move) => performMove(move, options, deps)))
  return { outcome: null, facts: facts.flat() }
}

/** A message that is no event: whom it was about is told as far as it can be read. */
function refuse(error: unknown, json: unknown, { metrics, log }: EventHandlingDeps): Settlement {
  if (!(error instanceof AppError)) throw error
  const { code, message } = error
  const known = identitySchema.safeParse(json)
  metrics.events.inc({ outcome: 'invalid' })
  log.warn({ code, reason: message, accountKey: known.data?.account_key }, 'event.dead_lettered')
  return { kind: 'dead_letter', reason: { code, message, about: 'event', ...known.data } }
}

async function stopLoop(
  event: VumiApiEvent,
  loop: NonNullable<ReturnType<typeof loopError>>,
  deps: EventHandlingDeps,
): Promise<Settlement> {
  const { account_key, event_id } = event
  const { code, message, path } = loop
  await deps.biographies.record([
    {
      accountKey: account_key,
      eventId: event_id,
      facts: [receivedFact(event), { fact: 'dead_lettered', at: timestampOf(), code, message }],
    },
  ])
  deps.metrics.events.inc({ outcome: 'hop_limit' })
  deps.log.warn({ accountKey: account_key, eventId: event_id, code, path }, 'event.dead_lettered')
  return { kind: 'dead_letter', reason: { ...loop, about: 'event', account_key, event_id } }
}

/** It is written for every event: without what no run needs. */
function planOf({ matched }: MatchOutcome): Plan {
  return {
    matched: matched.map(({ chain_id, version, name, steps }) => ({
      chain_id,
      version,
      name,
      steps,
    })),
  }
}

function receivedFact(event: VumiApiEvent): BiographyFact {
  return { fact: 'received', at: timestampOf(), event }
}

function matchedFact(match: MatchOutcome, starts: readonly Move[]): BiographyFact {
  return {
    fact: 'matched',
    at: timestampOf(),
    matched: starts.map((move) => {
      const { run_id, chain } = move.kind === 'end' ? move.context : move.invocation.context
      const { chain_id, name, version } = chain
      return { chain_id, name, version, run_id }
    }),
    not_matched: match.notMatched,
    by_default: match.byDefault,
    ...(match.reason === undefined ? {} : { reason: match.reason }),
  }
}

function outcomeOf(match: MatchOutcome): 'matched' | 'by_default' | 'unmatched' {
  if (match.matched.length === 0) return 'unmatched'
  return match.byDefault ? 'by_default' : 'matched'
}

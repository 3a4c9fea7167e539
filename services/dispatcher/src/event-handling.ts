/** What the dispatcher does with an event: match it, start its runs, tell its biography. */
import type { Delivery, Settlement } from '@signalbox/broker'
import { type MatchOutcome, startRun } from '@signalbox/chains'
import { type BiographyFact, LIMITS, runIdOf, type VumiApiEvent } from '@signalbox/contracts'
import type { BiographyStore } from '@signalbox/store'
import type { ChainCache } from './chain-cache.ts'
import { readEvent } from './intake.ts'
import { type MoveDeps, performMove } from './moves.ts'

export interface EventHandlingDeps extends MoveDeps {
  chains: Pick<ChainCache, 'current'>
  biographies: Pick<BiographyStore, 'record'>
}

/** Rejects with a retryable error when store or broker are away: nothing is settled then, and doing it all again is harmless. */
export async function handleEvent(
  delivery: Delivery,
  deps: EventHandlingDeps,
): Promise<Settlement> {
  const intake = readEvent(delivery)
  if (!intake.ok) {
    deps.metrics.events.inc({ outcome: 'invalid' })
    deps.log.warn(
      { code: intake.reason.code, reason: intake.reason.message },
      'event.dead_lettered',
    )
    return { kind: 'dead_letter', reason: intake.reason }
  }
  const event = intake.value
  if ((event.caused_by?.hops ?? 0) > LIMITS.maxHops) return stopLoop(event, deps)

  const index = await deps.chains.current(event.account_key)
  const match = index.match(event)
  const { traceparent } = delivery.properties
  const [facts] = await Promise.all([
    Promise.all(
      match.matched.map((chain) => performMove(startRun(event, chain), traceparent, deps)),
    ),
    record(event, [matchedFact(event, match)], deps),
  ])
  const later = facts.flat()
  if (later.length > 0) await record(event, later, deps)

  deps.metrics.events.inc({ outcome: outcomeOf(match) })
  return { kind: 'ack' }
}

/** An event that was caused by too many others before it: the path goes into the dead letter. */
async function stopLoop(event: VumiApiEvent, deps: EventHandlingDeps): Promise<Settlement> {
  const path = event.caused_by?.path ?? []
  const reason = {
    code: 'SB_HOP_LIMIT',
    message: `the event is ${event.caused_by?.hops} hops from its source, at most ${LIMITS.maxHops} are allowed; chains passed: ${path.join(' > ')}`,
    about: 'event' as const,
    account_key: event.account_key,
    event_id: event.event_id,
    path,
  }
  const { code, message } = reason
  await record(event, [{ fact: 'dead_lettered', at: now(), code, message }], deps)
  deps.metrics.events.inc({ outcome: 'hop_limit' })
  deps.log.warn(
    { accountKey: event.account_key, eventId: event.event_id, code, path },
    'event.dead_lettered',
  )
  return { kind: 'dead_letter', reason }
}

function record(
  event: VumiApiEvent,
  facts: BiographyFact[],
  { biographies }: EventHandlingDeps,
): Promise<void> {
  const received: BiographyFact = { fact: 'received', at: now(), event }
  const isFirst = facts.some((fact) => fact.fact !== 'step' && fact.fact !== 'run_ended')
  return biographies.record([
    {
      accountKey: event.account_key,
      eventId: event.event_id,
      facts: isFirst ? [received, ...facts] : facts,
    },
  ])
}

function matchedFact(event: VumiApiEvent, match: MatchOutcome): BiographyFact {
  return {
    fact: 'matched',
    at: now(),
    matched: match.matched.map(({ chain_id, name, version }) => ({
      chain_id,
      name,
      version,
      run_id: runIdOf(event.account_key, event.event_id, chain_id),
    })),
    not_matched: match.notMatched,
    by_default: match.byDefault,
    ...(match.reason === undefined ? {} : { reason: match.reason }),
  }
}

function outcomeOf(match: MatchOutcome): 'matched' | 'by_default' | 'unmatched' {
  if (match.matched.length === 0) return 'unmatched'
  return match.byDefault ? 'by_default' : 'matched'
}

function now(): string {
  return new Date().toISOString()
}

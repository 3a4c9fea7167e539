/** Facts of biographies: which are the same, and which events a filter asks for. */
import type { BiographyFact, EventSummary } from '@signalbox/contracts'
import type { EventFilter } from './ports.ts'

/** Facts with one identity say the same: the first is kept, however often a delivery comes again. */
export function factIdOf(fact: BiographyFact): string {
  switch (fact.fact) {
    case 'step':
      return `step ${fact.run_id} ${fact.step_id} ${fact.attempt}${tryOf(fact)}`
    case 'run_ended':
      return `run_ended ${fact.run_id}${tryOf(fact)}`
    case 'replayed':
      return `replayed ${fact.dead_letter_id} ${fact.kind}`
    case 'resent':
      return `resent ${fact.new_run.run_id}`
    case 'dead_lettered':
      return `dead_lettered ${fact.at}`
    case 'shown':
      return `shown ${fact.at} ${fact.edge}`
    case 'received':
    case 'matched':
      return fact.fact
  }
}

function tryOf({ replay_of }: { replay_of?: string | undefined }): string {
  return replay_of === undefined ? '' : ` ${replay_of}`
}

export function matchesFilter(summary: EventSummary, filter: EventFilter): boolean {
  return (
    isAskedFor(filter.conversationType, summary.conversation_type) &&
    isAskedFor(filter.eventType, summary.event_type) &&
    isAskedFor(filter.conversationKey, summary.conversation_key) &&
    isAskedFor(filter.personKey, summary.person_key) &&
    isAskedFor(filter.outcome, summary.outcome)
  )
}

function isAskedFor(wanted: string | undefined, actual: string | undefined): boolean {
  return wanted === undefined || wanted === actual
}

/** What both engines do with dead letters: the first state of one, what a repetition changes, which a filter asks for, groups. */
import type {
  DeadLetter,
  DeadLetterGroup,
  DeadLetterSummary,
  KeptDeadLetter,
} from '@signalbox/contracts'
import type { DeadLetterFilter, NewDeadLetter } from './ports.ts'

/** What a dead letter is when it is kept for the first time, without its body. */
export function firstSummary(letter: NewDeadLetter, nowMs: number = Date.now()): DeadLetterSummary {
  const { body: _body, ...head } = letter
  return {
    ...head,
    occurrences: 1,
    first_at: letter.at,
    state: 'open',
    state_at: new Date(nowMs).toISOString(),
  }
}

/**
 * The kept letter after `letter` came with the same identity. One with a time that is kept already is the same delivery again; with
 * another, the same message has failed again: it counts, and what was replayed is open again. What was discarded stays so.
 */
export function repeated(
  kept: DeadLetterSummary,
  letter: Pick<DeadLetter, 'at' | 'message'>,
  nowMs: number = Date.now(),
): DeadLetterSummary {
  if (letter.at === kept.at) return kept
  const again = {
    ...kept,
    at: letter.at,
    message: letter.message,
    occurrences: kept.occurrences + 1,
  }
  if (kept.state === 'open' || kept.state === 'discarded') return again
  const { replay: _replay, ...open } = again
  return { ...open, state: 'open', state_at: new Date(nowMs).toISOString() }
}

/** Whether `summary` is one that the filter asks for; a field of the filter that is null asks for those that have none. */
export function isAskedFor(summary: DeadLetterSummary, filter: DeadLetterFilter): boolean {
  const atMs = Date.parse(summary.at)
  return (
    fits(filter.code, summary.code) &&
    fits(filter.handler, summary.handler) &&
    fits(filter.chainId, summary.chain_id) &&
    fits(filter.conversationType, summary.conversation_type) &&
    fits(filter.eventType, summary.event_type) &&
    fits(filter.eventId, summary.event_id) &&
    fits(filter.state, summary.state) &&
    (filter.sinceMs === undefined || atMs >= filter.sinceMs) &&
    (filter.untilMs === undefined || atMs < filter.untilMs)
  )
}

function fits(wanted: string | null | undefined, actual: string | undefined): boolean {
  return wanted === undefined || (wanted ?? undefined) === actual
}

/** Counts summaries by their cause. At most `MAX_GROUPS` causes are told apart; the rest is not shown. */
export function createGrouping() {
  const groups = new Map<string, DeadLetterGroup>()

  return {
    add({ code, handler, chain_id, state, first_at, at }: DeadLetterSummary): void {
      const id = JSON.stringify([code, handler, chain_id])
      let group = groups.get(id)
      if (!group) {
        if (groups.size === MAX_GROUPS) return
        group = {
          code,
          ...(handler === undefined ? {} : { handler }),
          ...(chain_id === undefined ? {} : { chain_id }),
          count: 0,
          states: { open: 0, replaying: 0, replayed: 0, discarded: 0 },
          first_seen: first_at,
          last_seen: at,
        }
        groups.set(id, group)
      }
      group.count += 1
      group.states[state] += 1
      if (first_at < group.first_seen) group.first_seen = first_at
      if (at > group.last_seen) group.last_seen = at
    },
    /** The most frequent first. */
    groups: (): DeadLetterGroup[] => [...groups.values()].sort((a, b) => b.count - a.count),
  }
}

const MAX_GROUPS = 1_000

export function withBody(summary: DeadLetterSummary, body: string): KeptDeadLetter {
  return { ...summary, body: JSON.parse(body) as DeadLetter['body'] }
}

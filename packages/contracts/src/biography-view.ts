/**
 * Reading the facts of an event as its biography.
 *
 * A *try* of a run is what happened since its start or since a replay of one of its dead letters. A run's outcome is that of its
 * latest try.
 */
import type { Biography, BiographyFact, EventOutcome } from './biography.ts'
import type { ReplayKind } from './dead-letter.ts'

/**
 * Reads facts as a biography. Pure, and the same for facts that were recorded twice or in another order: they are read in the
 * order of their times. Undefined when no fact names the event: there is then nothing to show.
 */
export function biographyOf(recorded: readonly BiographyFact[]): Biography | undefined {
  const facts = recorded.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at))
  const received = facts.find((fact) => fact.fact === 'received')
  if (!received) return undefined
  const matched = facts.find((fact) => fact.fact === 'matched')

  const replays = facts.filter((fact) => fact.fact === 'replayed')
  const resends = facts.filter((fact) => fact.fact === 'resent')
  const deadLettered = ownDeath(facts)
  const chains = [
    ...(matched?.matched ?? []),
    ...replays.flatMap(({ new_run }) => (new_run ? [new_run] : [])),
    ...resends.map(({ new_run }) => new_run),
  ]
  const runs: Biography['runs'] = chains.map((chain) => {
    const end = endOfLatestTry(facts, chain.run_id)
    const replacement = replays.findLast(
      ({ run_id, new_run }) => run_id === chain.run_id && new_run,
    )
    const resend = resends.find(({ new_run }) => new_run.run_id === chain.run_id)
    return {
      ...chain,
      status: end?.outcome ?? 'running',
      by_default: resend === undefined && (matched?.by_default ?? false),
      steps: stepsOf(facts, chain.run_id),
      ...(end?.error ? { error: end.error } : {}),
      ...(replacement?.new_run ? { replaced_by: replacement.new_run.run_id } : {}),
      ...(resend ? { resent: { listener_id: resend.listener_id, reason: resend.reason } } : {}),
    }
  })

  const reason = deadLettered?.message ?? matched?.reason
  return {
    event: received.event,
    received_at: received.at,
    outcome: outcomeOf(
      runs,
      matched !== undefined || resends.length > 0,
      deadLettered !== undefined,
    ),
    ...(reason === undefined ? {} : { reason }),
    runs,
    not_matched: matched?.not_matched ?? [],
    ...shownView(facts),
    ...(replays.length === 0 ? {} : { replays: replays.map(replayView) }),
  }
}

/** n.b. The facts of a try may be recorded before the replay that began it is. */
function endOfLatestTry(
  facts: readonly BiographyFact[],
  runId: string,
): Extract<BiographyFact, { fact: 'run_ended' }> | undefined {
  const tries = new Set<string | undefined>()
  for (const fact of facts) {
    if (fact.fact === 'replayed') {
      if (fact.run_id === runId && isNewTry(fact.kind)) tries.add(fact.dead_letter_id)
    } else if ((fact.fact === 'step' || fact.fact === 'run_ended') && fact.run_id === runId) {
      tries.add(fact.replay_of)
    }
  }
  const latest = [...tries].at(-1)
  return facts
    .filter((fact) => fact.fact === 'run_ended')
    .find((fact) => fact.run_id === runId && fact.replay_of === latest)
}

function isNewTry(kind: ReplayKind): boolean {
  return kind === 'failed_step' || kind === 'edited_config'
}

/** Why the event itself is dead, unless it was published again since. */
function ownDeath(
  facts: readonly BiographyFact[],
): Extract<BiographyFact, { fact: 'dead_lettered' }> | undefined {
  const last = facts.findLast(
    (fact) =>
      fact.fact === 'dead_lettered' ||
      (fact.fact === 'replayed' && fact.kind === 'message' && fact.run_id === undefined),
  )
  return last?.fact === 'dead_lettered' ? last : undefined
}

/** Each edge tells of its own sockets, at times of its own. */
function shownView(facts: readonly BiographyFact[]): Pick<Biography, 'shown'> {
  const told = facts.filter((fact) => fact.fact === 'shown')
  const once = new Map(told.map((fact) => [`${fact.at} ${fact.edge}`, fact.sockets]))
  const [first] = told
  if (!first) return {}
  return { shown: { sockets: once.values().reduce((sum, n) => sum + n, 0), at: first.at } }
}

function replayView({
  dead_letter_id,
  kind,
  at,
  run_id,
  new_run,
  new_event_id,
}: Extract<BiographyFact, { fact: 'replayed' }>): NonNullable<Biography['replays']>[number] {
  return {
    dead_letter_id,
    kind,
    at,
    ...(run_id === undefined ? {} : { run_id }),
    ...(new_run === undefined ? {} : { new_run_id: new_run.run_id }),
    ...(new_event_id === undefined ? {} : { new_event_id }),
  }
}

/** Says of what happens in a run which try it belongs to. */
export function inTry(
  { replay_of }: { replay_of?: string | undefined },
  facts: readonly BiographyFact[],
): BiographyFact[] {
  if (replay_of === undefined) return [...facts]
  return facts.map((fact) =>
    fact.fact === 'step' || fact.fact === 'run_ended' ? { ...fact, replay_of } : fact,
  )
}

function outcomeOf(
  runs: Biography['runs'],
  isMatched: boolean,
  isDeadLettered: boolean,
): EventOutcome {
  if (isDeadLettered) return 'dead_lettered'
  if (!isMatched) return 'pending'
  if (runs.length === 0) return 'unmatched'
  const statuses = runs.filter((run) => run.replaced_by === undefined).map((run) => run.status)
  if (statuses.includes('running')) return 'pending'
  return statuses.includes('dead_lettered') ? 'dead_lettered' : 'succeeded'
}

/** The first fact of each attempt, in the order in which the attempts ended. */
function stepsOf(
  facts: readonly BiographyFact[],
  runId: string,
): Biography['runs'][number]['steps'] {
  const byAttempt = new Map<string, Biography['runs'][number]['steps'][number]>()
  for (const fact of facts) {
    if (fact.fact !== 'step' || fact.run_id !== runId) continue
    const { fact: _fact, run_id: _runId, ...step } = fact
    const id = `${step.step_id}/${step.attempt}/${step.replay_of ?? ''}`
    if (!byAttempt.has(id)) byAttempt.set(id, step)
  }
  return [...byAttempt.values()]
}

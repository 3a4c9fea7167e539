/**
 * The biography: what happened to one event, from its arrival to the end of every run it started.
 *
 * It is kept as facts in the order they were learned and read as a view. Facts may be recorded twice (a delivery that
 * came again); the view counts them once. Nothing in the view is stored: `outcome` is derived.
 *
 * A *try* of a run is what happened since its start or since a replay of one of its dead letters. A run's outcome is that of its
 * latest try.
 */
import { z } from 'zod'
import { type ReplayKind, replayKindSchema } from './dead-letter.ts'
import { eventSchema, type VumiApiEvent } from './event.ts'
import { keySchema, nameSchema, timestampSchema } from './names.ts'

const matchedChainSchema = z.strictObject({
  chain_id: nameSchema,
  name: z.string(),
  version: z.int(),
  run_id: keySchema,
})
const unmatchedChainSchema = z.strictObject({
  chain_id: nameSchema,
  name: z.string(),
  /** In words, with the values: `conversation_key is "a", the trigger wants "b"`. */
  reason: z.string(),
})

export const biographyFactSchema = z.discriminatedUnion('fact', [
  z.strictObject({
    fact: z.literal('received'),
    at: timestampSchema,
    event: eventSchema,
  }),
  z.strictObject({
    fact: z.literal('matched'),
    at: timestampSchema,
    matched: z.array(matchedChainSchema),
    /** Chains that came near: same kind, other conversation or condition. At most 20. */
    not_matched: z.array(unmatchedChainSchema),
    /** True when `matched` is the default chain, because no other matched. */
    by_default: z.boolean(),
    /** In words, when nothing matched. */
    reason: z.string().optional(),
  }),
  z.strictObject({
    fact: z.literal('step'),
    at: timestampSchema,
    run_id: keySchema,
    step_id: nameSchema,
    handler: nameSchema,
    attempt: z.int(),
    status: z.enum(['succeeded', 'failed', 'skipped']),
    duration_ms: z.number(),
    error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
    /** When the next attempt begins, at the earliest; absent: this was the last. */
    retry_at: timestampSchema.optional(),
    /** How often a worker died on this attempt before it came to an end. */
    redeliveries: z.int().optional(),
    fired_events: z.array(keySchema).optional(),
    fired_commands: z.array(keySchema).optional(),
    replay_of: keySchema.optional(),
  }),
  z.strictObject({
    fact: z.literal('run_ended'),
    at: timestampSchema,
    run_id: keySchema,
    outcome: z.enum(['succeeded', 'dead_lettered']),
    error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
    /** The dead letter whose replay this try was; absent: the first try. */
    replay_of: keySchema.optional(),
  }),
  z.strictObject({
    fact: z.literal('replayed'),
    at: timestampSchema,
    dead_letter_id: keySchema,
    kind: replayKindSchema,
    /** The run that the dead letter ended. */
    run_id: keySchema.optional(),
    /** What took its place, when it was replayed from the start. */
    new_run: matchedChainSchema.optional(),
    /** The changed event that was published. */
    new_event_id: keySchema.optional(),
  }),
  z.strictObject({
    fact: z.literal('dead_lettered'),
    at: timestampSchema,
    code: z.string(),
    message: z.string(),
  }),
])

export const EVENT_OUTCOMES = ['pending', 'unmatched', 'succeeded', 'dead_lettered'] as const
export const eventOutcomeSchema = z.enum(EVENT_OUTCOMES)

const stepViewSchema = z.strictObject({
  step_id: nameSchema,
  handler: nameSchema,
  attempt: z.int(),
  status: z.enum(['succeeded', 'failed', 'skipped']),
  at: timestampSchema,
  duration_ms: z.number(),
  error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
  retry_at: timestampSchema.optional(),
  redeliveries: z.int().optional(),
  fired_events: z.array(keySchema).optional(),
  fired_commands: z.array(keySchema).optional(),
  replay_of: keySchema.optional(),
})

const replayViewSchema = z.strictObject({
  dead_letter_id: keySchema,
  kind: replayKindSchema,
  at: timestampSchema,
  run_id: keySchema.optional(),
  new_run_id: keySchema.optional(),
  new_event_id: keySchema.optional(),
})

export const biographySchema = z
  .strictObject({
    event: eventSchema,
    received_at: timestampSchema,
    /** `pending` until every run has ended; `dead_lettered` when at least one run, or the event itself, was. A replaced run does not count. */
    outcome: eventOutcomeSchema,
    reason: z.string().optional(),
    runs: z.array(
      z.strictObject({
        ...matchedChainSchema.shape,
        status: z.enum(['running', 'succeeded', 'dead_lettered']),
        by_default: z.boolean(),
        steps: z.array(stepViewSchema),
        error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
        /** The run that took its place, when it was replayed from the start. */
        replaced_by: keySchema.optional(),
      }),
    ),
    /** The replays of its dead letters. */
    replays: z.array(replayViewSchema).optional(),
    not_matched: z.array(unmatchedChainSchema),
  })
  .meta({ id: 'Biography' })

export type BiographyFact = z.infer<typeof biographyFactSchema>
export type Biography = z.infer<typeof biographySchema>
export type EventOutcome = z.infer<typeof eventOutcomeSchema>

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
  const deadLettered = ownDeath(facts)
  const chains = [
    ...(matched?.matched ?? []),
    ...replays.flatMap(({ new_run }) => (new_run ? [new_run] : [])),
  ]
  const runs: Biography['runs'] = chains.map((chain) => {
    const end = endOfLatestTry(facts, chain.run_id)
    const replacement = replays.findLast(
      ({ run_id, new_run }) => run_id === chain.run_id && new_run,
    )
    return {
      ...chain,
      status: end?.outcome ?? 'running',
      by_default: matched?.by_default ?? false,
      steps: stepsOf(facts, chain.run_id),
      ...(end?.error ? { error: end.error } : {}),
      ...(replacement?.new_run ? { replaced_by: replacement.new_run.run_id } : {}),
    }
  })

  const reason = deadLettered?.message ?? matched?.reason
  return {
    event: received.event,
    received_at: received.at,
    outcome: outcomeOf(runs, matched !== undefined, deadLettered !== undefined),
    ...(reason === undefined ? {} : { reason }),
    runs,
    not_matched: matched?.not_matched ?? [],
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

/** One line of `GET /events`. */
export const eventSummarySchema = z
  .strictObject({
    event_id: keySchema,
    received_at: timestampSchema,
    conversation_type: nameSchema,
    event_type: nameSchema,
    conversation_key: keySchema,
    person_key: keySchema.optional(),
    outcome: eventOutcomeSchema,
    runs: z.int(),
  })
  .meta({ id: 'EventSummary' })
export type EventSummary = z.infer<typeof eventSummarySchema>

export function eventSummaryOf(biography: Biography): EventSummary {
  const event: VumiApiEvent = biography.event
  return {
    event_id: event.event_id,
    received_at: biography.received_at,
    conversation_type: event.conversation_type,
    event_type: event.event_type,
    conversation_key: event.conversation_key,
    ...(event.person_key === undefined ? {} : { person_key: event.person_key }),
    outcome: biography.outcome,
    runs: biography.runs.length,
  }
}

/**
 * The biography: what happened to one event, from its arrival to the end of every run it started.
 *
 * It is kept as facts in the order they were learned and read as a view. Facts may be recorded twice (a delivery that
 * came again); the view counts them once. Nothing in the view is stored: `outcome` is derived.
 */
import { z } from 'zod'
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
    fired_events: z.array(keySchema).optional(),
    fired_commands: z.array(keySchema).optional(),
  }),
  z.strictObject({
    fact: z.literal('run_ended'),
    at: timestampSchema,
    run_id: keySchema,
    outcome: z.enum(['succeeded', 'dead_lettered']),
    error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
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
  fired_events: z.array(keySchema).optional(),
  fired_commands: z.array(keySchema).optional(),
})

export const biographySchema = z
  .strictObject({
    event: eventSchema,
    received_at: timestampSchema,
    /** `pending` until every run has ended; `dead_lettered` when at least one run, or the event itself, was. */
    outcome: eventOutcomeSchema,
    reason: z.string().optional(),
    runs: z.array(
      z.strictObject({
        ...matchedChainSchema.shape,
        status: z.enum(['running', 'succeeded', 'dead_lettered']),
        by_default: z.boolean(),
        steps: z.array(stepViewSchema),
        error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
      }),
    ),
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
  const deadLettered = facts.find((fact) => fact.fact === 'dead_lettered')

  const runs: Biography['runs'] = (matched?.matched ?? []).map((chain) => {
    const ended = facts.find((fact) => fact.fact === 'run_ended' && fact.run_id === chain.run_id)
    const end = ended?.fact === 'run_ended' ? ended : undefined
    return {
      ...chain,
      status: end?.outcome ?? 'running',
      by_default: matched?.by_default ?? false,
      steps: stepsOf(facts, chain.run_id),
      ...(end?.error ? { error: end.error } : {}),
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
  }
}

function outcomeOf(
  runs: Biography['runs'],
  isMatched: boolean,
  isDeadLettered: boolean,
): EventOutcome {
  if (isDeadLettered) return 'dead_lettered'
  if (!isMatched) return 'pending'
  if (runs.length === 0) return 'unmatched'
  if (runs.some((run) => run.status === 'running')) return 'pending'
  return runs.some((run) => run.status === 'dead_lettered') ? 'dead_lettered' : 'succeeded'
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
    const id = `${step.step_id}/${step.attempt}`
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

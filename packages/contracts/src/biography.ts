/**
 * The biography: what happened to one event, from its arrival to the end of every run it started.
 *
 * It is kept as facts in the order they were learned and read as a view. Facts may be recorded twice (a delivery that
 * came again); the view counts them once. Nothing in the view is stored: `outcome` is derived.
 */
import { z } from 'zod'
import { replayKindSchema } from './dead-letter.ts'
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

/** `retry` and `replay`: of deliveries; `republish`: of events; `test`: of an event that is for nobody else. */
export const RESEND_REASONS = ['retry', 'replay', 'republish', 'test'] as const
export const resendReasonSchema = z.enum(RESEND_REASONS)

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
    /** How often its worker put the attempt off before it began. */
    deferrals: z.int().optional(),
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
  /** The event was sent to a listener again, or (a test) for the first time: by a run of its own. */
  z.strictObject({
    fact: z.literal('resent'),
    at: timestampSchema,
    listener_id: nameSchema,
    reason: resendReasonSchema,
    new_run: matchedChainSchema,
  }),
  z.strictObject({
    fact: z.literal('dead_lettered'),
    at: timestampSchema,
    code: z.string(),
    message: z.string(),
  }),
  /** Of one edge, for some time: the sockets that the event has reached there. */
  z.strictObject({
    fact: z.literal('shown'),
    at: timestampSchema,
    edge: z.string(),
    sockets: z.int(),
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
  deferrals: z.int().optional(),
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
        /** Present when somebody asked for it: the event did not start this run. */
        resent: z.strictObject({ listener_id: nameSchema, reason: resendReasonSchema }).optional(),
      }),
    ),
    /** How many sockets it has reached, and when the first of them; absent: none, as far as is known. */
    shown: z.strictObject({ sockets: z.int(), at: timestampSchema }).optional(),
    /** The replays of its dead letters. */
    replays: z.array(replayViewSchema).optional(),
    not_matched: z.array(unmatchedChainSchema),
  })
  .meta({ id: 'Biography' })

export type BiographyFact = z.infer<typeof biographyFactSchema>
export type Biography = z.infer<typeof biographySchema>
export type ResendReason = z.infer<typeof resendReasonSchema>
export type EventOutcome = z.infer<typeof eventOutcomeSchema>

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

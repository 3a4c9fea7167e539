/**
 * The dead letter: what could not be completed, with the reason.
 *
 * `DeadLetter` is the message on the wire; `KeptDeadLetter` is what the store has of it: the same, whom it is about as far as
 * that can be read, and its state. A listing shows `DeadLetterSummary`, which is all but the body.
 *
 * | state       | means                                                | goes to                                             |
 * | ----------- | ---------------------------------------------------- | --------------------------------------------------- |
 * | `open`      | nobody has dealt with it                             | `replaying`, `discarded`                            |
 * | `replaying` | a replay has begun; begun again, it does no harm     | `replayed`; `open` when nobody takes what it sends  |
 * | `replayed`  | what it was about is on its way again                | `open` when the same message fails again            |
 * | `discarded` | somebody said why it is not worth it                 |                                                     |
 */
import { z } from 'zod'
import {
  invocationSchema,
  type RunContext,
  runContextSchema,
  stepResultSchema,
} from './invocation.ts'
import { jsonSchema, keySchema, nameSchema, timestampSchema } from './names.ts'

/** Where dead letters are kept whose account cannot be read. The admin key alone has access to it. */
export const INSTALLATION_ACCOUNT = '_installation'

export const deadLetterAboutSchema = z.enum(['event', 'command', 'invocation', 'result', 'message'])

export const deadLetterSchema = z
  .looseObject({
    dead_letter_id: z.string(),
    /** Why, as one of the `SB_…` codes of docs/errors.md, or the code that a handler gave. */
    code: z.string(),
    message: z.string(),
    at: timestampSchema,
    /** What kind of message it is about. */
    about: deadLetterAboutSchema,
    account_key: z.string().optional(),
    event_id: z.string().optional(),
    run_id: z.string().optional(),
    chain_id: z.string().optional(),
    step_id: z.string().optional(),
    handler: z.string().optional(),
    attempts: z.int().min(0).optional(),
    /** Chains passed through, for a hop limit. */
    path: z.array(z.string()).optional(),
    /** Where it was published to when it could not be completed. */
    exchange: z.string(),
    routing_key: z.string(),
    /** The message: parsed when it is JSON, else as base64; only its beginning when it is too large to be kept. */
    body: z.union([
      z.strictObject({ json: jsonSchema }),
      z.strictObject({ base64: z.string(), cut_from_bytes: z.int().optional() }),
    ]),
  })
  .meta({ id: 'DeadLetter' })

export const DEAD_LETTER_STATES = ['open', 'replaying', 'replayed', 'discarded'] as const
export const deadLetterStateSchema = z.enum(DEAD_LETTER_STATES)

/**
 * `failed_step`: the run goes on at the step that failed. `start`: a new run of the chain as it is now. `message`: the message is published
 * again as it was. `edited_config`: as `failed_step`, with another config. `edited_event`: a new event.
 */
export const REPLAY_KINDS = [
  'failed_step',
  'start',
  'message',
  'edited_config',
  'edited_event',
] as const
export const replayKindSchema = z.enum(REPLAY_KINDS)

const { body: bodySchema, ...headShape } = deadLetterSchema.shape

export const deadLetterSummarySchema = z
  .looseObject({
    ...headShape,
    account_key: nameSchema,
    /** The kind of event that it all began with, when it can be read. */
    conversation_type: nameSchema.optional(),
    event_type: nameSchema.optional(),
    /** The same message has failed so many times, from `first_at` to `at`. */
    occurrences: z.int().min(1),
    first_at: timestampSchema,
    /** The dead letter whose replay failed again with this one. */
    replay_of: keySchema.optional(),
    state: deadLetterStateSchema,
    state_at: timestampSchema,
    /** What the replay was, and what came of it: the run, or the event. */
    replay: z
      .strictObject({
        kind: replayKindSchema,
        run_id: keySchema.optional(),
        event_id: keySchema.optional(),
        /** Somebody is at it until then, or died of it; absent: nobody. */
        busy_until: timestampSchema.optional(),
      })
      .optional(),
    discard_reason: z.string().optional(),
  })
  .meta({ id: 'DeadLetterSummary' })

export const keptDeadLetterSchema = deadLetterSummarySchema
  .extend({ body: bodySchema })
  .meta({ id: 'KeptDeadLetter' })

/** Dead letters with the same cause. */
export const deadLetterGroupSchema = z
  .strictObject({
    code: z.string(),
    handler: z.string().optional(),
    chain_id: z.string().optional(),
    count: z.int(),
    states: z.record(deadLetterStateSchema, z.int()),
    first_seen: timestampSchema,
    last_seen: timestampSchema,
  })
  .meta({ id: 'DeadLetterGroup' })

export type DeadLetter = z.infer<typeof deadLetterSchema>
export type DeadLetterState = z.infer<typeof deadLetterStateSchema>
export type ReplayKind = z.infer<typeof replayKindSchema>
export type DeadLetterSummary = z.infer<typeof deadLetterSummarySchema>
export type KeptDeadLetter = z.infer<typeof keptDeadLetterSchema>
export type DeadLetterGroup = z.infer<typeof deadLetterGroupSchema>

/** The run that a dead letter's body carries: by itself, in an invocation or a result, or in a batch of one. */
export function runContextIn(body: DeadLetter['body']): RunContext | undefined {
  if (!('json' in body)) return undefined
  const { json } = body
  const item: unknown = Array.isArray(json) && json.length === 1 ? json[0] : json
  const bare = runContextSchema.safeParse(item)
  if (bare.success) return bare.data
  const carrier = z.union([invocationSchema, stepResultSchema]).safeParse(item)
  return carrier.data?.context
}

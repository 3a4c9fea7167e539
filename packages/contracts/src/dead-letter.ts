/** The dead letter: what could not be completed, kept with the reason. */
import { z } from 'zod'
import { jsonSchema, timestampSchema } from './names.ts'

export const deadLetterSchema = z
  .looseObject({
    dead_letter_id: z.string(),
    /** Why, as one of the `SB_…` codes of docs/errors.md, or the code that a handler gave. */
    code: z.string(),
    message: z.string(),
    at: timestampSchema,
    /** What kind of message it is about. */
    about: z.enum(['event', 'command', 'invocation', 'result', 'message']),
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
    /** The message: parsed when it is JSON, else as base64. */
    body: z.union([z.strictObject({ json: jsonSchema }), z.strictObject({ base64: z.string() })]),
  })
  .meta({ id: 'DeadLetter' })

export type DeadLetter = z.infer<typeof deadLetterSchema>

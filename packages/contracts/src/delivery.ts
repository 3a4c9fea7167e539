/** A delivery: one attempt to tell a listener of one event, as it is kept and shown. */
import { z } from 'zod'
import { jsonObjectSchema, keySchema, nameSchema, timestampSchema } from './names.ts'

/** As `packages/outbound` tells how an attempt ended. */
export const DELIVERY_OUTCOMES = [
  'delivered',
  'refused',
  'unreachable',
  'timed_out',
  'forbidden',
] as const
export const deliveryOutcomeSchema = z.enum(DELIVERY_OUTCOMES)

export const MAX_RESPONSE_EXCERPT_CHARS = 1_024

export const deliverySchema = z
  .looseObject({
    delivery_id: keySchema,
    listener_id: nameSchema,
    event_id: keySchema,
    conversation_type: nameSchema,
    conversation_key: keySchema,
    event_type: nameSchema,
    run_id: keySchema,
    invocation_id: keySchema,
    attempt: z.int().min(1),
    /** When the attempt began. */
    at: timestampSchema,
    duration_ms: z.number().min(0),
    outcome: deliveryOutcomeSchema,
    /** Of HTTP. */
    status: z.int().optional(),
    code: z.string().max(64).optional(),
    message: z.string().max(4_096).optional(),
    /** What was sent, and where: `method`, `url`, `exchange`, `routing_key`; `headers` redacted. */
    request: jsonObjectSchema,
    response_excerpt: z.string().max(MAX_RESPONSE_EXCERPT_CHARS).optional(),
    /** When the next attempt begins, at the earliest; absent: this was the last, or the event's biography, which says so, is not there yet or no longer. */
    next_retry_at: timestampSchema.optional(),
  })
  .meta({ id: 'Delivery', description: 'One attempt to tell a listener of an event.' })

/** Over all attempts, also those that are no longer kept. */
export const deliveryCountsSchema = z
  .strictObject({
    delivered: z.int(),
    failed: z.int(),
    /** Of those kept: too old or too many. */
    forgotten: z.int(),
    /** The first failure since the last success; absent: the last attempt succeeded, or there was none. */
    failing_since: timestampSchema.optional(),
    /** `delivered` by all attempts, 0 to 1; absent: there was none. */
    success_rate: z.number().optional(),
  })
  .meta({ id: 'DeliveryCounts' })

export type Delivery = z.infer<typeof deliverySchema>
export type DeliveryOutcome = z.infer<typeof deliveryOutcomeSchema>
export type DeliveryCounts = z.infer<typeof deliveryCountsSchema>

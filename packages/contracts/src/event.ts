/**
 * The event: an immutable broadcast fact. What sources send (`EventInput`) may leave out what we can generate;
 * what travels (`VumiApiEvent`) is complete.
 */
import { z } from 'zod'
import { uuidv7 } from './identity.ts'
import {
  jsonObjectSchema,
  keySchema,
  messageIdSchema,
  nameSchema,
  timestampSchema,
} from './names.ts'

/** Who fired an event: set by the dispatcher on events that a handler returned, never by a source. */
export const causedBySchema = z
  .looseObject({
    event_id: keySchema,
    run_id: keySchema,
    step_id: nameSchema,
    hops: z.int().min(1),
    /** The chains passed through so far, first to last: what a dead letter of a loop shows. */
    path: z.array(nameSchema).optional(),
  })
  .meta({ id: 'CausedBy' })

export const eventInputSchema = z
  .looseObject({
    event_id: messageIdSchema.optional(),
    account_key: nameSchema,
    conversation_key: keySchema,
    conversation_type: nameSchema,
    event_type: nameSchema,
    event_data: jsonObjectSchema,
    timestamp: timestampSchema.optional(),
    person_key: keySchema.optional(),
    caused_by: causedBySchema.optional(),
    /** The dead letter that was edited into this event; set by Signalbox alone. */
    replay_of: keySchema.optional(),
  })
  .meta({
    id: 'EventInput',
    description:
      'An event as a source sends it: `event_id` and `timestamp` are generated when absent.',
  })

export const eventSchema = eventInputSchema
  .extend({ event_id: messageIdSchema, timestamp: timestampSchema })
  .meta({
    id: 'VumiApiEvent',
    description: 'A fact: this conversation did something others may care about.',
  })

export type CausedBy = z.infer<typeof causedBySchema>
export type EventInput = z.infer<typeof eventInputSchema>
export type VumiApiEvent = z.infer<typeof eventSchema>

/** What a handler returns to fire an event: the account is always the run's own. */
export const firedEventSchema = eventInputSchema
  .omit({ account_key: true, caused_by: true, event_id: true, replay_of: true })
  .meta({ id: 'FiredEvent' })
export type FiredEvent = z.infer<typeof firedEventSchema>

/** Fills in `event_id` and `timestamp`. Pure but for the clock and the random source. */
export function completeEvent(input: EventInput, nowMs: number = Date.now()): VumiApiEvent {
  return {
    ...input,
    event_id: input.event_id ?? uuidv7(nowMs),
    timestamp: input.timestamp ?? new Date(nowMs).toISOString(),
  }
}

/** `<conversation_type>.<event_type>.<account_key>`, the routing key on the events exchange. */
export function eventRoutingKey(
  event: Pick<VumiApiEvent, 'conversation_type' | 'event_type' | 'account_key'>,
): string {
  return `${event.conversation_type}.${event.event_type}.${event.account_key}`
}

/**
 * The bridge for Vumi Go's own event shape: `content` stands for `event_data` and `conversation_type` may be missing.
 * It is published to the direct exchange `vumi` with the routing key `vumi.event`.
 */
import { z } from 'zod'
import { type EventInput, eventInputSchema } from './event.ts'
import { jsonObjectSchema, nameSchema } from './names.ts'

export const VUMI_GO = {
  exchange: 'vumi',
  routingKey: 'vumi.event',
  conversationType: 'vumi',
} as const

/** Vumi's wire writes timestamps as `2013-02-28 14:00:00.123456`, in UTC, with a space and without a zone. */
const vumiTimestampSchema = z
  .string()
  .transform((text) =>
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$/.test(text) ? `${text.replace(' ', 'T')}Z` : text,
  )

export const vumiGoEventSchema = z
  .looseObject({
    ...eventInputSchema.omit({
      event_data: true,
      conversation_type: true,
      caused_by: true,
      replay_of: true,
    }).shape,
    content: jsonObjectSchema,
    conversation_type: nameSchema.optional(),
    timestamp: vumiTimestampSchema.optional(),
  })
  .transform((message): EventInput => {
    // n.b. the shape is loose, so these would pass; hops and replays are the dispatcher's to count.
    const {
      content,
      conversation_type,
      caused_by: _causedBy,
      replay_of: _replayOf,
      ...rest
    } = message
    return {
      ...rest,
      conversation_type: conversation_type ?? VUMI_GO.conversationType,
      event_data: content,
    }
  })
  .pipe(eventInputSchema)

/**
 * CloudEvents 1.0 in structured JSON, as `POST /events` accepts it.
 * Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
 */
import { z } from 'zod'
import type { EventInput } from './event.ts'
import { jsonObjectSchema, keySchema, type nameSchema } from './names.ts'

/**
 * The mapping. `id` and `time` are the event's own; `type` is `<conversation_type>.<event_type>` (a prefix such as
 * `com.example.` before these two is ignored); `source` ends with the conversation key; `subject` is the person.
 */
export const cloudEventSchema = z
  .looseObject({
    specversion: z.literal('1.0'),
    id: keySchema,
    source: z.string().min(1).max(512),
    type: z
      .string()
      .max(512)
      .regex(
        /(^|\.)[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{1,64}$/,
        'must end with <conversation_type>.<event_type>',
      ),
    time: z.iso.datetime({ offset: true }).optional(),
    subject: keySchema.optional(),
    datacontenttype: z
      .string()
      .regex(/^application\/([\w.+-]+\+)?json\b/, 'must be a JSON media type')
      .optional(),
    data: jsonObjectSchema.optional(),
    /** Extension attribute: the conversation, when the last segment of `source` is not it. */
    conversationkey: keySchema.optional(),
  })
  .meta({ id: 'CloudEvent' })

export type CloudEvent = z.infer<typeof cloudEventSchema>

export const CLOUD_EVENT_MEDIA_TYPE = 'application/cloudevents+json'

export function eventFromCloudEvent(
  accountKey: z.infer<typeof nameSchema>,
  cloudEvent: CloudEvent,
): EventInput {
  const [conversationType, eventType] = cloudEvent.type.split('.').slice(-2)
  const lastSegment = cloudEvent.source.replace(/\/+$/, '').split(/[/:#]/).at(-1)
  return {
    event_id: cloudEvent.id,
    account_key: accountKey,
    conversation_key: cloudEvent.conversationkey ?? lastSegment ?? cloudEvent.source,
    conversation_type: conversationType!,
    event_type: eventType!,
    event_data: cloudEvent.data ?? {},
    ...(cloudEvent.time === undefined
      ? {}
      : { timestamp: new Date(cloudEvent.time).toISOString() }),
    ...(cloudEvent.subject === undefined ? {} : { person_key: cloudEvent.subject }),
  }
}

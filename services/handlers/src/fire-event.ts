/** `fire_event`: fires an event of any kind, so that chains can start chains. */
import { jsonObjectSchema, keySchema, nameSchema } from '@signalbox/contracts'
import { defineHandler, type Handler } from '@signalbox/worker'
import { z } from 'zod'

export function fireEventHandler(): Handler {
  return defineHandler({
    name: 'fire_event',
    description:
      'Fires an event. Conversation, its type and the person are those of the event that is handled, unless given.',
    config: z.strictObject({
      conversation_type: nameSchema.optional(),
      event_type: nameSchema,
      conversation_key: keySchema.optional(),
      person_key: keySchema.optional(),
      event_data: jsonObjectSchema.default({}),
    }),
    fires: 'any',
    async handle({ config, event }) {
      const personKey = config.person_key ?? event.person_key
      return {
        events: [
          {
            conversation_type: config.conversation_type ?? event.conversation_type,
            event_type: config.event_type,
            conversation_key: config.conversation_key ?? event.conversation_key,
            ...(personKey === undefined ? {} : { person_key: personKey }),
            event_data: config.event_data,
          },
        ],
      }
    },
  })
}

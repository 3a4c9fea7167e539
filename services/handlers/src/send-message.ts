/** `send_message`: commands another worker to send a message in one of its conversations. */
import { jsonObjectSchema, keySchema, nameSchema } from '@signalbox/contracts'
import { defineHandler, type Handler } from '@signalbox/worker'
import { z } from 'zod'

const MAX_CONTENT_CHARS = 10_000

export function sendMessageHandler(): Handler {
  return defineHandler({
    name: 'send_message',
    description:
      'Sends the command `send_message` to a worker, with `account_key`, `conversation_key`, `person_key`, `to`, `content` and ' +
      '`options` as its kwargs. Conversation and person are those of the event, unless given.',
    config: z.strictObject({
      worker_name: nameSchema,
      content: z.string().min(1).max(MAX_CONTENT_CHARS),
      to: z.string().min(1).max(256).optional(),
      conversation_key: keySchema.optional(),
      person_key: keySchema.optional(),
      options: jsonObjectSchema.optional(),
    }),
    async handle({ config: { worker_name, ...message }, event }) {
      const personKey = message.person_key ?? event.person_key
      return {
        commands: [
          {
            worker_name,
            command: 'send_message',
            kwargs: {
              account_key: event.account_key,
              conversation_key: message.conversation_key ?? event.conversation_key,
              ...(personKey === undefined ? {} : { person_key: personKey }),
              ...(message.to === undefined ? {} : { to: message.to }),
              content: message.content,
              ...(message.options === undefined ? {} : { options: message.options }),
            },
          },
        ],
      }
    },
  })
}

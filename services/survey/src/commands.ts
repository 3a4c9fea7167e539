/** What handlers and other parts may ask the survey worker to do. */
import { keySchema, msisdnSchema } from '@signalbox/contracts'
import type { CommandDefinition } from '@signalbox/worker'
import { z } from 'zod'
import { MAX_MESSAGE_CHARS, type Mailboxes } from './mailboxes.ts'
import type { Sessions } from './sessions.ts'

const startSchema = z.looseObject({
  poll: keySchema,
  person_key: keySchema,
  msisdn: msisdnSchema.exactOptional(),
})

const sendMessageSchema = z.looseObject({
  /** The person's key. */
  to: keySchema,
  content: z.string().min(1, 'must not be empty').max(MAX_MESSAGE_CHARS),
})

export interface SurveyCommandsDeps {
  sessions: Pick<Sessions, 'begin'>
  mailboxes: Pick<Mailboxes, 'deliver'>
}

/** Both may come again: a begun session is resumed, a delivered message is known by the command's identity. */
export function surveyCommands({ sessions, mailboxes }: SurveyCommandsDeps) {
  const start: CommandDefinition<z.infer<typeof startSchema>> = {
    kwargs: startSchema,
    async handle({ kwargs: { poll, person_key, msisdn } }) {
      await sessions.begin(poll, {
        personKey: person_key,
        ...(msisdn === undefined ? {} : { msisdn }),
      })
    },
  }
  const sendMessage: CommandDefinition<z.infer<typeof sendMessageSchema>> = {
    kwargs: sendMessageSchema,
    async handle({ command_id, kwargs: { to, content } }) {
      await mailboxes.deliver({
        message_id: String(command_id),
        kind: 'message',
        to,
        body: content,
      })
    },
  }
  return { start, send_message: sendMessage }
}

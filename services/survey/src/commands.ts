/** What handlers and other parts may ask the survey worker to do. */
import { keySchema, msisdnSchema, nameSchema } from '@signalbox/contracts'
import { InvalidInputError } from '@signalbox/kit'
import type { CommandDefinition } from '@signalbox/worker'
import { z } from 'zod'
import { MAX_MESSAGE_CHARS, type Mailboxes } from './mailboxes.ts'
import type { Sessions } from './sessions.ts'

const startSchema = z.looseObject({
  account_key: nameSchema.exactOptional(),
  poll: keySchema,
  person_key: keySchema,
  msisdn: msisdnSchema.exactOptional(),
})

const sendMessageSchema = z
  .looseObject({
    account_key: nameSchema.exactOptional(),
    /** Whom it is for; `to`, an address of theirs, stands in. */
    person_key: keySchema.exactOptional(),
    to: keySchema.exactOptional(),
    content: z.string().min(1, 'must not be empty').max(MAX_MESSAGE_CHARS),
  })
  .refine(({ person_key, to }) => (person_key ?? to) !== undefined, {
    message: 'is required, or to',
    path: ['person_key'],
  })

export interface SurveyCommandsDeps {
  sessions: Pick<Sessions, 'begin'>
  mailboxes: Pick<Mailboxes, 'deliver'>
}

/** Both may come again: a begun session is resumed, a delivered message is known by the command's identity. */
export function surveyCommands(
  { accountKey }: { accountKey: string },
  { sessions, mailboxes }: SurveyCommandsDeps,
) {
  const start: CommandDefinition<z.infer<typeof startSchema>> = {
    kwargs: startSchema,
    async handle({ kwargs: { account_key, poll, person_key, msisdn } }) {
      requireOwnAccount(account_key)
      await sessions.begin(poll, {
        personKey: person_key,
        ...(msisdn === undefined ? {} : { msisdn }),
      })
    },
  }
  const sendMessage: CommandDefinition<z.infer<typeof sendMessageSchema>> = {
    kwargs: sendMessageSchema,
    async handle({ command_id, kwargs: { account_key, person_key, to, content } }) {
      requireOwnAccount(account_key)
      await mailboxes.deliver({
        message_id: command_id,
        kind: 'message',
        to: String(person_key ?? to),
        body: content,
      })
    },
  }
  return { start, send_message: sendMessage }

  /** Commands are routed by worker alone: another account's may come here, and must not act on this one. */
  function requireOwnAccount(named: string | undefined): void {
    if (named === undefined || named === accountKey) return
    const message = `"${named}" has no polls at this worker`
    throw new InvalidInputError(`account_key: ${message}`, {
      details: [{ path: 'kwargs.account_key', message }],
    })
  }
}

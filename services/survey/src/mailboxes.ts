/**
 * Mailboxes: the latest messages to an address, which is a person's key or, at the demo SMS gateway, a number.
 *
 * They share a fixed number of documents, so that what is kept is bounded however many addresses there are; the oldest
 * message falls off first, and is counted.
 */
import { createHash } from 'node:crypto'
import { keySchema, timestampSchema } from '@signalbox/contracts'
import type { Store } from '@signalbox/store'
import { z } from 'zod'
import { type DocumentPlace, readDocument, reviseDocument } from './revision.ts'

const MAILBOXES = 'survey_mailboxes'
const DOCUMENTS = 64
const MAX_MESSAGES_PER_DOCUMENT = 200
const MAX_MESSAGES_PER_ADDRESS = 20
/** Ten SMS of 160 characters. */
export const MAX_MESSAGE_CHARS = 1_600

const messageSchema = z.strictObject({
  message_id: keySchema,
  /** `sms`: taken by the demo SMS gateway and sent to nobody. */
  kind: z.enum(['message', 'sms']),
  to: keySchema,
  body: z.string(),
  at: timestampSchema,
})
const mailboxSchema = z.strictObject({ messages: z.array(messageSchema) })

export type Message = z.infer<typeof messageSchema>

export interface MailboxesDeps {
  documents: Pick<Store['documents'], 'get' | 'put'>
  /** Called with how many messages fell off. */
  onForgotten?: (count: number) => void
}

export type Mailboxes = ReturnType<typeof createMailboxes>

export function createMailboxes(
  { accountKey }: { accountKey: string },
  { documents, onForgotten }: MailboxesDeps,
) {
  const place = (address: string): DocumentPlace<z.infer<typeof mailboxSchema>> => ({
    documents,
    accountKey,
    collection: MAILBOXES,
    key: String(createHash('sha256').update(address).digest().readUInt8() % DOCUMENTS),
    schema: mailboxSchema,
  })

  return {
    /** Keeps the message; one with an identity that is kept already is the same message, and changes nothing. */
    async deliver(message: Omit<Message, 'at'>): Promise<void> {
      let forgotten = 0
      await reviseDocument(place(message.to), (mailbox) => {
        forgotten = 0
        if (mailbox?.messages.some(({ message_id }) => message_id === message.message_id)) {
          return mailbox
        }
        const all = [...(mailbox?.messages ?? []), { ...message, at: new Date().toISOString() }]
        const messages = newestOf(all, message.to)
        forgotten = all.length - messages.length
        return { messages }
      })
      if (forgotten > 0) onForgotten?.(forgotten)
    },

    /** Oldest first. */
    async messagesTo(address: string): Promise<Message[]> {
      const { value } = await readDocument(place(address))
      return value?.messages.filter(({ to }) => to === address) ?? []
    },
  }
}

/** Without the oldest of this address, then of all, that are too many. */
function newestOf(messages: readonly Message[], address: string): Message[] {
  const own = messages.filter(({ to }) => to === address)
  const tooOld = new Set(own.slice(0, -MAX_MESSAGES_PER_ADDRESS))
  return messages.filter((message) => !tooOld.has(message)).slice(-MAX_MESSAGES_PER_DOCUMENT)
}

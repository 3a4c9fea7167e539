/** `create_contact`: creates the contact with this number, or updates it. */
import { type JsonObject, jsonSchema, msisdnSchema, nameSchema } from '@signalbox/contracts'
import type { ContactStore } from '@signalbox/store'
import { defineHandler, type Handler } from '@signalbox/worker'
import { z } from 'zod'
import { contactOutput } from './contact-output.ts'

const MAX_NAME_CHARS = 200
const MAX_GROUPS = 100

const config = z
  .object({
    msisdn: msisdnSchema,
    name: z.string().min(1).max(MAX_NAME_CHARS).optional(),
    groups: z.array(nameSchema).max(MAX_GROUPS).optional(),
  })
  .catchall(jsonSchema)

export function createContactHandler(contacts: Pick<ContactStore, 'upsert'>): Handler {
  return defineHandler({
    name: 'create_contact',
    description:
      'Creates the contact with this number, or updates it. Other fields than `msisdn`, `name` and `groups` are kept as extra ' +
      'fields. Its output is the contact, with `created`.',
    config,
    fires: [
      { conversation_type: 'contact', event_type: 'contact_created' },
      { conversation_type: 'contact', event_type: 'contact_updated' },
    ],
    async handle({ config: { msisdn, name, groups, ...extra }, event }) {
      const { contact, created } = await contacts.upsert(event.account_key, {
        msisdn,
        ...(name === undefined ? {} : { name }),
        ...(groups === undefined ? {} : { groups }),
        extra,
      })
      const output: JsonObject = { ...contactOutput(contact), created }
      return {
        output,
        events: [
          {
            conversation_type: 'contact',
            event_type: created ? 'contact_created' : 'contact_updated',
            conversation_key: contact.contact_key,
            ...(event.person_key === undefined ? {} : { person_key: event.person_key }),
            event_data: output,
          },
        ],
      }
    },
  })
}

/** `set_subscription`: subscribes a contact to a campaign, or unsubscribes it. */
import { keySchema, msisdnSchema, nameSchema } from '@signalbox/contracts'
import type { ContactStore } from '@signalbox/store'
import { defineHandler, type Handler, HandlerError } from '@signalbox/worker'
import { z } from 'zod'
import { contactOutput } from './contact-output.ts'

const config = z
  .strictObject({
    contact_key: keySchema.optional(),
    msisdn: msisdnSchema.optional(),
    campaign: nameSchema,
    state: z.enum(['subscribed', 'unsubscribed']),
  })
  .refine(
    ({ contact_key, msisdn }) => (contact_key === undefined) !== (msisdn === undefined),
    'must name the contact by either contact_key or msisdn',
  )

export function setSubscriptionHandler(
  contacts: Pick<ContactStore, 'findByMsisdn' | 'setSubscription'>,
): Handler {
  return defineHandler({
    name: 'set_subscription',
    description:
      'Sets whether a contact, named by `contact_key` or by `msisdn`, is subscribed to a campaign. Its output is the contact.',
    config,
    async handle({ config: { contact_key, msisdn, campaign, state }, event }) {
      const { account_key: account } = event
      const contactKey =
        msisdn === undefined
          ? contact_key
          : (await contacts.findByMsisdn(account, msisdn))?.contact_key
      const contact =
        contactKey === undefined
          ? undefined
          : await contacts.setSubscription(account, contactKey, campaign, state)
      if (contact) return { output: contactOutput(contact) }

      const named = msisdn === undefined ? `contact_key "${contact_key}"` : `msisdn "${msisdn}"`
      throw new HandlerError({
        code: 'UNKNOWN_CONTACT',
        message: `there is no contact with ${named}`,
        retryable: false,
      })
    },
  })
}

/** `set_subscription`: subscribes a contact to a campaign, or unsubscribes it. */
import { keySchema, msisdnSchema, nameSchema } from '@signalbox/contracts'
import type { ContactStore } from '@signalbox/store'
import { defineHandler, type Handler, HandlerError } from '@signalbox/worker'
import { z } from 'zod'
import { contactOutput } from './contact-output.ts'

const subscription = { campaign: nameSchema, state: z.enum(['subscribed', 'unsubscribed']) }

const config = z.union([
  z.strictObject({ contact_key: keySchema, ...subscription }),
  z.strictObject({ msisdn: msisdnSchema, ...subscription }),
])

export function setSubscriptionHandler(
  contacts: Pick<ContactStore, 'findByMsisdn' | 'setSubscription'>,
): Handler {
  return defineHandler({
    name: 'set_subscription',
    description:
      'Sets whether a contact, named by `contact_key` or by `msisdn`, is subscribed to a campaign. Its output is the contact.',
    config,
    async handle({ config, event }) {
      const { account_key: account } = event
      const contactKey =
        'contact_key' in config
          ? config.contact_key
          : (await contacts.findByMsisdn(account, config.msisdn))?.contact_key
      const contact =
        contactKey === undefined
          ? undefined
          : await contacts.setSubscription(account, contactKey, config.campaign, config.state)
      if (contact) return { output: contactOutput(contact) }

      const [field, value] =
        'contact_key' in config ? ['contact_key', config.contact_key] : ['msisdn', config.msisdn]
      throw new HandlerError({
        code: 'UNKNOWN_CONTACT',
        message: `there is no contact with ${field} "${value}"`,
        retryable: false,
      })
    },
  })
}

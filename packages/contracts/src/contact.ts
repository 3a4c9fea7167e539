/** The contact: a person as an account's address book has them. */
import { z } from 'zod'
import { jsonSchema, keySchema, nameSchema, timestampSchema } from './names.ts'

/** E.164 with or without the plus; kept with it. */
export const msisdnSchema = z
  .string()
  .regex(/^\+?[0-9]{6,15}$/, 'must be 6 to 15 digits, with or without a leading +')
  .transform((text) => (text.startsWith('+') ? text : `+${text}`))

export const contactSchema = z
  .looseObject({
    contact_key: keySchema,
    msisdn: z.string(),
    name: z.string().optional(),
    groups: z.array(nameSchema),
    /** Campaign to state. */
    subscriptions: z.record(nameSchema, z.enum(['subscribed', 'unsubscribed'])),
    /** Whatever else the account keeps about the person. */
    extra: z.record(z.string(), jsonSchema),
    created_at: timestampSchema,
    updated_at: timestampSchema,
  })
  .meta({ id: 'Contact' })

export type Contact = z.infer<typeof contactSchema>

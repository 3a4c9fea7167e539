/** What the handlers process reads from its environment. */
import { workerConfigShape } from '@signalbox/worker'
import { z } from 'zod'

export const smsConfigShape = {
  SMS_GATEWAY_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
    .refine(
      (url) => URL.parse(url)?.username === '' && URL.parse(url)?.password === '',
      'must not carry a user or password; use SMS_GATEWAY_TOKEN',
    )
    .optional()
    .meta({
      description: 'Where `send_sms` posts `{to, body}`; absent: `send_sms` fails and says so.',
    }),
  SMS_GATEWAY_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
    .optional()
    .meta({ description: 'Bearer credential for the SMS gateway.' }),
  SMS_TIMEOUT_MS: z.coerce.number().int().min(100).max(25_000).default(10_000).meta({
    description: 'How long one request to the SMS gateway may take, in milliseconds.',
  }),
}

export const config = z.object({ ...workerConfigShape, ...smsConfigShape })

export type HandlersConfig = z.infer<typeof config>

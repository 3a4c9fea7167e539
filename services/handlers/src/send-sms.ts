/** `send_sms`: sends a text message through the configured gateway. */
import { msisdnSchema } from '@signalbox/contracts'
import { defineHandler, type Handler, HandlerError } from '@signalbox/worker'
import { z } from 'zod'
import type { SmsGateway } from './sms-gateway.ts'

/** What a text of ten parts can hold, about. */
const MAX_BODY_CHARS = 1_600

/** Without a gateway every call fails, for good, and says what to configure. */
export function sendSmsHandler(gateway: SmsGateway | undefined): Handler {
  return defineHandler({
    name: 'send_sms',
    description:
      'Sends a text message through the SMS gateway. Its output is `status` and, when the gateway gave one, `message_id`.',
    config: z.strictObject({ to: msisdnSchema, body: z.string().min(1).max(MAX_BODY_CHARS) }),
    output: z.strictObject({ status: z.int(), message_id: z.string().optional() }),
    async handle({ config, idempotencyKey, signal }) {
      if (gateway) return { output: await gateway.send(config, { idempotencyKey, signal }) }
      throw new HandlerError({
        code: 'SMS_NOT_CONFIGURED',
        message: 'there is no SMS gateway: SMS_GATEWAY_URL is not set where this handler runs',
        retryable: false,
      })
    },
  })
}

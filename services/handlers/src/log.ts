/** `log`: writes a line to the worker's log. */
import { jsonSchema } from '@signalbox/contracts'
import type { Log } from '@signalbox/kit'
import { defineHandler, type Handler } from '@signalbox/worker'
import { z } from 'zod'

const MAX_LOGGED_CHARS = 4_096

export function logHandler(log: Log): Handler {
  return defineHandler({
    name: 'log',
    description:
      'Writes one line with `message` to the log of the worker; what is no string is written as JSON. For trying chains.',
    config: z.strictObject({
      message: jsonSchema,
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
    }),
    async handle({ config: { message, level }, event, idempotencyKey }) {
      const text = typeof message === 'string' ? message : JSON.stringify(message)
      log[level](
        {
          accountKey: event.account_key,
          eventId: event.event_id,
          invocationId: idempotencyKey,
          text: text.length > MAX_LOGGED_CHARS ? `${text.slice(0, MAX_LOGGED_CHARS)}…` : text,
        },
        'handler.log',
      )
    },
  })
}

/** The callback over AMQP: a message to an exchange, on our broker or on another one by URL. */
import { z } from 'zod'
import { headersSchema, urlSchema } from './callback-http.ts'
import type { JsonObject } from './names.ts'
import { REDACTED, splitHeaders, withoutRedacted } from './redaction.ts'

const shape = {
  exchange: z.string().min(1).max(255),
  /** A template; default: the event's own routing key. */
  routing_key: z.string().max(1_024).optional(),
  /** `amqps://host[:port][/vhost]`, without credentials; absent: our own broker. */
  url: urlSchema.optional(),
  username: z.string().min(1).max(255).optional(),
  /** Sealed, and never shown again. */
  password: z.string().min(1).max(1_024).optional(),
  /** Values may be templates, but for those that carry credentials. */
  headers: headersSchema.optional(),
  /** From the call to the confirm; default 15,000. */
  timeout_ms: z.int().min(100).max(60_000).optional(),
}

const schema = z.strictObject({ type: z.literal('amqp'), ...shape })

type AmqpCallbackFields = z.infer<typeof schema>

export const amqpCallback = {
  handler: 'amqp_callback',
  schema,
  inputSchema: schema.refine(
    ({ url, username, password }) =>
      (username === undefined) === (password === undefined) &&
      (username === undefined || url !== undefined),
    'username and password go together, and with a url',
  ),

  split({ headers, password, ...rest }: AmqpCallbackFields) {
    const { shown, secrets } = splitHeaders(headers ?? {})
    const callback: AmqpCallbackFields = {
      ...rest,
      ...(headers === undefined ? {} : { headers: shown }),
      ...(password === undefined ? {} : { password: REDACTED }),
    }
    return { callback, secrets: password === undefined ? secrets : { ...secrets, password } }
  },

  config({ exchange, routing_key, url, headers }: AmqpCallbackFields): JsonObject {
    return {
      exchange,
      ...(routing_key === undefined ? {} : { routing_key }),
      ...(url === undefined ? {} : { url }),
      ...(headers === undefined ? {} : { headers: withoutRedacted(headers) }),
    }
  },
}

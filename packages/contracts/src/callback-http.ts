/** The callback over HTTP: a signed request to a URL. */
import { z } from 'zod'
import { type JsonObject, jsonSchema } from './names.ts'
import { redactedValues, splitHeaders, withoutRedacted } from './redaction.ts'

export const CALLBACK_METHODS = ['POST', 'PUT', 'PATCH'] as const

export const urlSchema = z.string().min(1).max(2_048)
export const headersSchema = z
  .record(z.string().min(1).max(128), z.string().max(4_096))
  .refine((headers) => Object.keys(headers).length <= 32, 'must be at most 32')

const shape = {
  url: urlSchema,
  /** Default `POST`. */
  method: z.enum(CALLBACK_METHODS).optional(),
  /** Values may be templates, but for those that carry credentials. */
  headers: headersSchema.optional(),
  /** As `headers`; sealed, whatever they are called, and never shown again. */
  secret_headers: headersSchema.optional(),
  /** Sent instead of the event; a template. */
  body: jsonSchema.optional(),
  /** From the call to the answer's status; default 15,000. Of that, 5,000 at most are for the connection. */
  timeout_ms: z.int().min(100).max(60_000).optional(),
}

const schema = z.strictObject({ type: z.literal('http'), ...shape })

type HttpCallbackFields = Omit<z.infer<typeof schema>, 'type'>

export const httpCallback = {
  handler: 'http_callback',
  schema,
  inputSchema: schema,
  /** As Mistral writes it; its `event_types` may stand inside. */
  mistralSchema: z.strictObject({
    type: z.literal('webhook'),
    url: shape.url,
    headers: shape.headers,
    event_types: z.array(z.string()).optional(),
  }),

  split(fields: HttpCallbackFields & { type: string; event_types?: string[] | undefined }) {
    const { type: _type, event_types: _eventTypes, headers, secret_headers, ...rest } = fields
    const { shown, secrets } = splitHeaders(headers ?? {}, secret_headers)
    const callback: z.infer<typeof schema> = {
      type: 'http',
      ...rest,
      ...(headers === undefined ? {} : { headers: shown }),
      ...(secret_headers === undefined ? {} : { secret_headers: redactedValues(secret_headers) }),
    }
    return { callback, secrets }
  },

  config({ url, method = 'POST', headers, body }: HttpCallbackFields): JsonObject {
    return {
      url,
      method,
      ...(headers === undefined ? {} : { headers: withoutRedacted(headers) }),
      ...(body === undefined ? {} : { body }),
    }
  },
}

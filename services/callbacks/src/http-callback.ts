/** Callbacks over HTTP. */
import { CALLBACK_METHODS, CALLBACK_TYPES } from '@signalbox/contracts'
import type { HttpDelivery } from '@signalbox/outbound'
import { z } from 'zod'
import { type CallbackType, callbackConfigShape } from './callback-type.ts'

const MAX_URL_CHARS = 2_048

const config = z.strictObject({
  ...callbackConfigShape,
  url: z.string().min(1).max(MAX_URL_CHARS),
  method: z.enum(CALLBACK_METHODS).default('POST'),
})

export function httpCallbacks(
  http: Pick<HttpDelivery, 'deliver'>,
): CallbackType<z.infer<typeof config>> {
  return {
    name: 'http',
    handler: CALLBACK_TYPES.http.handler,
    description:
      'Tells a listener over HTTP: sends the event, signed as Standard Webhooks has it, to an address.',
    config,
    bound(of, callback) {
      if (callback.type !== 'http') return undefined
      return { ...of, url: callback.url, method: callback.method ?? 'POST' }
    },
    target: ({ url, method }) => ({ url, method }),
    deliver({ config: { url, method }, listener: { listener }, headers, signature, body }) {
      const { timeout_ms: timeoutMs } = listener.callback
      return http.deliver({ url, method, headers, ownHeaders: { ...signature }, body, timeoutMs })
    },
  }
}

/** Callbacks over AMQP, to an exchange on our broker or on another one. */
import { CALLBACK_TYPES, type VumiApiEvent } from '@signalbox/contracts'
import type { AmqpDelivery } from '@signalbox/outbound'
import { z } from 'zod'
import { type CallbackType, callbackConfigShape } from './callback-type.ts'
import type { OpenListener } from './listener-cache.ts'

const MAX_URL_CHARS = 2_048
const MAX_NAME_CHARS = 255

const config = z.strictObject({
  ...callbackConfigShape,
  url: z.string().min(1).max(MAX_URL_CHARS).optional().meta({
    description: 'Of another broker; absent: ours.',
  }),
  exchange: z.string().max(MAX_NAME_CHARS),
  routing_key: z.string().max(MAX_NAME_CHARS).optional().meta({
    description: 'Absent: `<conversation_type>.<event_type>.<account_key>`.',
  }),
})
type Config = z.infer<typeof config>

export function amqpCallbacks(amqp: Pick<AmqpDelivery, 'deliver'>): CallbackType<Config> {
  return {
    name: 'amqp',
    handler: CALLBACK_TYPES.amqp.handler,
    description:
      'Tells a listener over AMQP: publishes the event, signed, to an exchange, and fails when no queue takes it.',
    config,
    bound(of, callback) {
      if (callback.type !== 'amqp') return undefined
      return { ...of, url: callback.url, exchange: callback.exchange }
    },
    target: (of, event) => ({
      exchange: of.exchange,
      routing_key: routingKeyOf(of, event),
      ...(of.url === undefined ? {} : { url: of.url }),
    }),
    deliver({ config: of, event, listener, id, headers, signature, body }) {
      return amqp.deliver({
        url: of.url,
        credentials: credentialsOf(listener),
        exchange: of.exchange,
        routingKey: routingKeyOf(of, event),
        messageId: id,
        type: 'VumiApiEvent',
        headers,
        ownHeaders: { ...signature },
        body,
        timeoutMs: listener.listener.callback.timeout_ms,
      })
    },
  }
}

function routingKeyOf({ routing_key }: Config, event: VumiApiEvent): string {
  const { conversation_type, event_type, account_key } = event
  return routing_key ?? `${conversation_type}.${event_type}.${account_key}`
}

function credentialsOf({ listener: { callback }, password }: OpenListener) {
  if (callback.type !== 'amqp' || callback.username === undefined || password === undefined) {
    return undefined
  }
  return { username: callback.username, password }
}

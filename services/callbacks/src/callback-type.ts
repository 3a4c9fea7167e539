/** A type of callback: what its step's config is, and how one is sent. Each is a file of its own, and `app.ts` lists them. */
import {
  type Json,
  type JsonObject,
  jsonSchema,
  type Callback as ListenerCallback,
  nameSchema,
  type VumiApiEvent,
} from '@signalbox/contracts'
import type { DeliveryOutcome, WebhookHeaders } from '@signalbox/outbound'
import { z } from 'zod'
import type { OpenListener } from './listener-cache.ts'

/** What the config of each type has. It holds no secrets: those are with the listener. */
export const callbackConfigShape = {
  listener_id: nameSchema.meta({ description: 'The listener whose secrets and limits count.' }),
  headers: z.record(z.string(), z.string()).default({}),
  body: jsonSchema.optional().meta({ description: 'Sent instead of the event.' }),
}

export interface CallbackConfig {
  listener_id: string
  headers: Record<string, string>
  body?: Json | undefined
}

export interface Callback<Config> {
  config: Config
  event: VumiApiEvent
  listener: OpenListener
  /** The same whenever the event is sent to the listener by this step. */
  id: string
  body: string
  /** The listener's, with those that carry credentials. */
  headers: Record<string, string>
  signature: WebhookHeaders
}

export interface CallbackType<Config extends CallbackConfig = CallbackConfig> {
  /** As listeners name it. */
  name: string
  /** Of the handler. */
  handler: string
  description: string
  config: z.ZodType<Config>
  /**
   * The config with the destination that the listener has now. The run may have been pinned before it moved, or not be the listener's own
   * chain at all, and the listener's credentials go nowhere but to its destination. Undefined: it is of another type now.
   */
  bound(config: Config, callback: ListenerCallback): Config | undefined
  /** Where it goes, as deliveries show it. */
  target(config: Config, event: VumiApiEvent): JsonObject
  /** Never rejects. */
  deliver(callback: Callback<Config>): Promise<DeliveryOutcome>
}

/** A text is sent as it is; anything else, and the event, as JSON. */
export function bodyOf({ body }: CallbackConfig, event: VumiApiEvent): string {
  return typeof body === 'string' ? body : JSON.stringify(body ?? event)
}

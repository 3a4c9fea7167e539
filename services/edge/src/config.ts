/** What the edge reads from its environment. */
import {
  brokerConfigShape,
  portSchema,
  processConfigShape,
  secretSchema,
  storeConfigShape,
} from '@signalbox/kit'
import { z } from 'zod'
import { DEFAULT_MAX_CONNECTIONS, DEFAULT_MAX_SUBSCRIPTIONS } from './limits.ts'

export const config = z.object({
  PORT: portSchema(8081),
  ...processConfigShape,
  ...brokerConfigShape,
  ...storeConfigShape,
  SIGNALBOX_TOKEN_SECRET: secretSchema.meta({
    description: 'Signs WebSocket tokens; the same at the api and at every edge.',
  }),
  SIGNALBOX_EDGE_MAX_CONNECTIONS: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(DEFAULT_MAX_CONNECTIONS)
    .meta({ description: 'WebSockets that one edge process holds open; more are answered 503.' }),
  SIGNALBOX_EDGE_MAX_SUBSCRIPTIONS: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(DEFAULT_MAX_SUBSCRIPTIONS)
    .meta({ description: 'Subscriptions of one WebSocket; more are answered 429.' }),
})

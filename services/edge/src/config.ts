/** What the edge reads from its environment. */
import {
  brokerConfigShape,
  channelConfigShape,
  portSchema,
  processConfigShape,
  relayConfigShape,
  secretSchema,
  storeConfigShape,
} from '@signalbox/kit'
import { z } from 'zod'
import {
  DEFAULT_JOIN_MS,
  DEFAULT_MAX_BUFFERED_BYTES,
  DEFAULT_MAX_CONNECTIONS,
  DEFAULT_MAX_SUBSCRIPTIONS,
} from './limits.ts'

export const config = z.object({
  PORT: portSchema(8081),
  ...processConfigShape,
  ...brokerConfigShape,
  ...storeConfigShape,
  ...relayConfigShape,
  ...channelConfigShape,
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
  SIGNALBOX_EDGE_JOIN_MS: z.coerce.number().int().min(0).max(1_000).default(DEFAULT_JOIN_MS).meta({
    description:
      'The longest that a frame waits to leave in one write with others to the same client, in milliseconds; 0: none waits.',
  }),
  SIGNALBOX_EDGE_MAX_BUFFERED_BYTES: z.coerce
    .number()
    .int()
    .min(64 * 1024)
    .max(1024 ** 3)
    .default(DEFAULT_MAX_BUFFERED_BYTES)
    .meta({
      description:
        'Bytes that may wait for one client that does not read; with more it is closed with 4008.',
    }),
})

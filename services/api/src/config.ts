/** What the api reads from its environment. */
import {
  brokerConfigShape,
  deadLetterConfigShape,
  deliveryConfigShape,
  portSchema,
  processConfigShape,
  recordConfigShape,
  secretSchema,
  storeConfigShape,
} from '@signalbox/kit'
import { addressPolicyConfigShape, sealingConfigShape } from '@signalbox/outbound'
import { z } from 'zod'
import { DEFAULT_PATIENCE_MS } from './patience.ts'

export const config = z.object({
  PORT: portSchema(8080),
  ...processConfigShape,
  ...brokerConfigShape,
  ...storeConfigShape,
  ...deadLetterConfigShape,
  ...deliveryConfigShape,
  ...sealingConfigShape,
  ...addressPolicyConfigShape,
  PUBLISH_TIMEOUT_MS: z.coerce
    .number()
    .int()
    .min(100)
    .max(60_000)
    .default(DEFAULT_PATIENCE_MS)
    .meta({
      description:
        'How long a request waits for RabbitMQ to confirm before it is answered 503, in milliseconds; below the timeout of a balancer before it. One that is known to be away is not waited for.',
    }),
  SIGNALBOX_MAX_CHAINS: recordConfigShape.SIGNALBOX_MAX_CHAINS,
  SIGNALBOX_MAX_LISTENERS: recordConfigShape.SIGNALBOX_MAX_LISTENERS,
  SIGNALBOX_MAX_API_KEYS: recordConfigShape.SIGNALBOX_MAX_API_KEYS,
  SIGNALBOX_ADMIN_KEY: secretSchema.meta({
    description: 'The credential that may do everything in every account.',
  }),
  SIGNALBOX_TOKEN_SECRET: secretSchema.meta({
    description: 'Signs WebSocket tokens; the same at the api and at every edge.',
  }),
})

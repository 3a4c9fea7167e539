/** What a dispatcher reads from its environment. */
import {
  brokerConfigShape,
  deadLetterConfigShape,
  portSchema,
  processConfigShape,
  progressConfigShape,
  storeConfigShape,
} from '@signalbox/kit'
import { z } from 'zod'

export const dispatcherShape = {
  DISPATCHER_PREFETCH: z.coerce.number().int().min(1).max(10_000).default(500).meta({
    description:
      'Deliveries in hand at once, per queue. Acknowledgements wait for Redis and for confirms: a low figure lowers the rate where those are far away, a high one costs memory and its collection.',
  }),
}

export const config = z.object({
  PORT: portSchema(8082),
  ...processConfigShape,
  ...brokerConfigShape,
  ...storeConfigShape,
  ...deadLetterConfigShape,
  ...progressConfigShape,
  ...dispatcherShape,
})

export type DispatcherConfig = z.infer<typeof config>

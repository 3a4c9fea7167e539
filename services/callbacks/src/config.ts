/** What the callbacks process reads from its environment. */
import { deliveryConfigShape, portSchema } from '@signalbox/kit'
import { addressPolicyConfigShape, sealingConfigShape } from '@signalbox/outbound'
import { workerConfigShape } from '@signalbox/worker'
import { z } from 'zod'
import type { AdmissionOptions } from './admission.ts'

/** For whoever delivers callbacks, in a process of its own or among others. */
export const callbacksConfigShape = {
  CALLBACKS_CONCURRENCY: z.coerce.number().int().min(1).max(4_096).default(512).meta({
    description: 'Callbacks in hand at once, per type.',
  }),
  CALLBACKS_PER_LISTENER: z.coerce.number().int().min(1).max(1_024).default(16).meta({
    description: 'Callbacks under way at once to a listener that has no limit of its own.',
  }),
  CALLBACKS_PER_ACCOUNT: z.coerce.number().int().min(1).max(4_096).default(128).meta({
    description: 'Callbacks under way at once of one account.',
  }),
  CALLBACKS_PER_ACCOUNT_PER_SECOND: z.coerce.number().min(0.1).max(1_000_000).optional().meta({
    description: 'Callbacks of one account begun per second; absent: no bound.',
  }),
}

export const config = z.object({
  ...workerConfigShape,
  ...addressPolicyConfigShape,
  ...deliveryConfigShape,
  ...sealingConfigShape,
  ...callbacksConfigShape,
  PORT: portSchema(8084),
})

export type CallbacksConfig = z.infer<typeof config>
type CallbacksSettings = Pick<CallbacksConfig, keyof typeof callbacksConfigShape>

export function admissionOptions(settings: CallbacksSettings): AdmissionOptions {
  return {
    endpointConcurrency: settings.CALLBACKS_PER_LISTENER,
    accountConcurrency: settings.CALLBACKS_PER_ACCOUNT,
    accountPerSecond: settings.CALLBACKS_PER_ACCOUNT_PER_SECOND,
  }
}

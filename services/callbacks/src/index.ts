/** The callbacks service, for whoever composes it. */

export type { AdmissionOptions } from './admission.ts'
export { type CallbacksDeps, type CallbacksOptions, createCallbacks } from './app.ts'
export {
  admissionOptions,
  type CallbacksConfig,
  callbacksConfigShape,
  config,
} from './config.ts'
export type { DisablingOptions } from './listener-disabling.ts'

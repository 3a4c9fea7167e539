/** Requests to addresses that strangers chose: what may be reached, how it is signed, and how each attempt ends. */

export {
  type AddressPolicy,
  type AddressPolicyOptions,
  createAddressPolicy,
} from './address-policy.ts'
export {
  AMQP_SCHEMES,
  type AmqpCallback,
  type AmqpCredentials,
  type AmqpDelivery,
  type AmqpDeliveryOptions,
  checkCallbackExchange,
  createAmqpDelivery,
} from './amqp-delivery.ts'
export {
  type CallbackScheme,
  type CallbackUrl,
  type CheckCallbackUrlOptions,
  checkCallbackAddress,
  checkCallbackUrl,
} from './callback-url.ts'
export type { CircuitOptions, EndpointLimits, Verdict, WaitReason } from './circuit.ts'
export { addressPolicyConfigShape, addressPolicyOptions, sealingConfigShape } from './config.ts'
export {
  createEndpointGuard,
  type EndpointGuard,
  type EndpointGuardDeps,
  type EndpointGuardOptions,
  type GuardAnswer,
  type Pass,
  type PassResult,
  passResultOf,
} from './endpoint-guard.ts'
export {
  CALLBACK_METHODS,
  type CallbackMethod,
  createHttpDelivery,
  type HttpCallback,
  type HttpDelivery,
  type HttpDeliveryDeps,
  type HttpDeliveryOptions,
} from './http-delivery.ts'
export type {
  Delivered,
  DeliveryOutcome,
  Forbidden,
  Refused,
  TimedOut,
  Unreachable,
} from './outcome.ts'
export { checkCallbackHeaders } from './request-headers.ts'
export {
  AddressRefusedError,
  createDnsResolver,
  type DnsResolverOptions,
  type Resolve,
  type ResolvedAddress,
  resolveBySystem,
} from './resolving.ts'
export { createSealer, type Sealer, type SealerOptions, type SealingContext } from './sealing.ts'
export {
  createSigner,
  type ReceivedMessage,
  type SignedMessage,
  type Signer,
  type Verification,
  type VerifyOptions,
  verifySignature,
  type WebhookHeaders,
} from './signatures.ts'
export { newSigningSecret, publicKeyOf, type SigningScheme } from './signing-secret.ts'

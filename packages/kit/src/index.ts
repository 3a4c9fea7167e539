/** What every process shares: errors, configuration, logs, readiness, metrics, HTTP, tokens, lifecycle. */

export { type BackoffOptions, backoffDelayMs, delay } from './backoff.ts'
export {
  brokerConfigShape,
  channelConfigShape,
  deadLetterConfigShape,
  deliveryConfigShape,
  parseConfig,
  portSchema,
  processConfigShape,
  progressConfigShape,
  recordConfigShape,
  relayConfigShape,
  secretSchema,
  storeConfigShape,
} from './config.ts'
export {
  AppError,
  AuthError,
  ConfigError,
  ConflictError,
  ERROR_CODES,
  type ErrorCode,
  InvalidInputError,
  NotFoundError,
  TooManyError,
  UnavailableError,
} from './errors.ts'
export { gatherWrites } from './gathered-writes.ts'
export {
  bearerOf,
  createHttpApp,
  type HttpAppDeps,
  problemOf,
  problemOfError,
  requireJsonObject,
  sendProblem,
} from './http.ts'
export {
  createJwksResolver,
  type JwksOptions,
  type JwksSource,
  jwksFromFile,
  jwksFromUrl,
} from './jwks.ts'
export { isRetryable, orExit, runService, type ServiceScope } from './lifecycle.ts'
export { createLogger, type Log, maskUrl, silentLog } from './logging.ts'
export { counter, createMetrics, durationHistogram, gauge, type Metrics } from './metrics.ts'
export { createReadiness, type Readiness, type ReadinessCheck } from './readiness.ts'
export {
  createRepeatedFailures,
  type RepeatedFailuresOptions,
  type TellFailure,
} from './repeated-failures.ts'
export { retryAfterMs } from './retry-after.ts'
export { hashSecret, newSecret, secretsEqual } from './secrets.ts'
export {
  createTokenVerifier,
  ISSUER_ALGORITHMS,
  type IssuedToken,
  issueToken,
  TOKEN_AUDIENCE,
  type TokenIssuer,
  type TokenSubject,
  type TokenVerifier,
} from './tokens.ts'
export { fieldErrorsOf, formatPath, parseInput, summarise } from './validation.ts'

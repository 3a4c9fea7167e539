/**
 * Quick checks of what crosses the wire most: events, invocations, results.
 *
 * What is *plain* is valid beyond doubt, and its schema would return it as it is: no default to fill in, nothing to leave out. That is so
 * for nearly everything that Signalbox itself sends, at a tenth of what a schema costs. What is not plain may still be valid: its schema
 * decides, and says what is wrong. So a check here may be narrower than its schema, and never wider.
 */
import type { Step } from './chain.ts'
import type { EventInput, VumiApiEvent } from './event.ts'
import type { HandlerInvocation, RunContext, StepResult } from './invocation.ts'
import { isJson, LIMITS } from './names.ts'

type Fields = Record<string, unknown>

const NAME = /^[A-Za-z0-9_-]{1,64}$/
const ASCII_KEY = /^[!-~]{1,128}$/
/** With milliseconds; without the 29th of February. */
const TIMESTAMP =
  /^\d{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

const STATUSES = new Set<unknown>(['succeeded', 'failed', 'skipped', 'deferred'])
const MAX_ERROR_CODE_CHARS = 64
const MAX_ERROR_MESSAGE_CHARS = 4_096

/** The schema: `eventInputSchema`. */
export function isPlainEventInput(value: unknown): value is EventInput {
  return (
    isObject(value) &&
    isName(value.account_key) &&
    isKey(value.conversation_key) &&
    isName(value.conversation_type) &&
    isName(value.event_type) &&
    isJsonObject(value.event_data) &&
    isAbsentOr(isKey, value.event_id) &&
    isAbsentOr(isTimestamp, value.timestamp) &&
    isAbsentOr(isKey, value.person_key) &&
    isAbsentOr(isKey, value.replay_of) &&
    isAbsentOr(isCausedBy, value.caused_by)
  )
}

/** The schema: `invocationSchema`. */
export function isPlainInvocation(value: unknown): value is HandlerInvocation {
  return (
    isObject(value) &&
    isKey(value.invocation_id) &&
    isInteger(value.attempt, 1) &&
    isName(value.handler) &&
    isJsonObject(value.config) &&
    isContext(value.context) &&
    isAbsentOr(isCountFrom1, value.timeout_ms) &&
    isAbsentOr(isBoolean, value.repeat) &&
    isAbsentOr(isCount, value.redeliveries)
  )
}

/** The schema: `stepResultSchema`. One that fires something is not plain. */
export function isPlainResult(value: unknown): value is StepResult {
  return (
    isObject(value) &&
    isKey(value.invocation_id) &&
    isInteger(value.attempt, 1) &&
    STATUSES.has(value.status) &&
    isAbsentOr(isAnyJson, value.output) &&
    isAbsentOr(isStepError, value.error) &&
    isAbsentOr(isCount, value.retry_after_ms) &&
    value.events === undefined &&
    value.commands === undefined &&
    isDuration(value.duration_ms) &&
    isAbsentOr(isCount, value.redeliveries) &&
    isContext(value.context)
  )
}

function isContext(value: unknown): value is RunContext {
  return (
    isObject(value) &&
    isKey(value.run_id) &&
    isEvent(value.event) &&
    isResults(value.results) &&
    isAbsentOr(isContextError, value.error) &&
    isSnapshot(value.chain) &&
    isInteger(value.step_index, 0) &&
    isAbsentOr(isTraceparent, value.traceparent) &&
    isAbsentOr(isKey, value.replay_of) &&
    isAbsentOr(isCountFrom1, value.deferrals)
  )
}

function isEvent(value: unknown): value is VumiApiEvent {
  return isPlainEventInput(value) && value.event_id !== undefined && value.timestamp !== undefined
}

function isCausedBy(value: unknown): boolean {
  return (
    isObject(value) &&
    isKey(value.event_id) &&
    isKey(value.run_id) &&
    isName(value.step_id) &&
    isInteger(value.hops, 1) &&
    (value.path === undefined || (Array.isArray(value.path) && value.path.every(isName)))
  )
}

function isResults(value: unknown): boolean {
  if (!isObject(value)) return false
  for (const name of Object.keys(value)) {
    if (!isName(name) || !isJson(value[name])) return false
  }
  return true
}

function isContextError(value: unknown): boolean {
  return isObject(value) && isName(value.step_id) && isString(value.code) && isString(value.message)
}

function isStepError(value: unknown): boolean {
  return (
    isObject(value) &&
    isString(value.code) &&
    value.code.length >= 1 &&
    value.code.length <= MAX_ERROR_CODE_CHARS &&
    isString(value.message) &&
    value.message.length <= MAX_ERROR_MESSAGE_CHARS &&
    isBoolean(value.retryable) &&
    isAbsentOr(isCount, value.retry_after_ms)
  )
}

function isSnapshot(value: unknown): boolean {
  return (
    isObject(value) &&
    isName(value.chain_id) &&
    isInteger(value.version, 1) &&
    isString(value.name) &&
    Array.isArray(value.steps) &&
    value.steps.every(isStep)
  )
}

/** Without a retry policy or a time of its own, and without steps in its `on_error`. */
function isStep(value: unknown): value is Step {
  if (!isObject(value)) return false
  for (const field of Object.keys(value)) {
    if (!isStepField(field, value[field])) return false
  }
  return (
    value.id !== undefined &&
    value.handler !== undefined &&
    value.config !== undefined &&
    value.on_error !== undefined
  )
}

function isStepField(field: string, value: unknown): boolean {
  switch (field) {
    case 'id':
    case 'handler':
      return isName(value)
    case 'config':
      return isJsonObject(value)
    case 'when':
      return isString(value) && value.length >= 1 && value.length <= LIMITS.maxExpressionChars
    case 'retry':
      return isObject(value) && Object.keys(value).length === 1 && isAttempts(value.max_attempts)
    case 'on_error':
      return value === 'stop' || value === 'continue'
    default:
      return false
  }
}

function isAttempts(value: unknown): boolean {
  return isInteger(value, 1) && value <= 50
}

/** n.b. schemas leave out a field of the name `__proto__`. */
function isObject(value: unknown): value is Fields {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    !Object.hasOwn(value, '__proto__')
  )
}

function isJsonObject(value: unknown): boolean {
  if (!isObject(value)) return false
  for (const field of Object.keys(value)) if (!isJson(value[field])) return false
  return true
}

function isAbsentOr(check: (value: unknown) => boolean, value: unknown): boolean {
  return value === undefined || check(value)
}

/** n.b. `isJson` has a second parameter. */
function isAnyJson(value: unknown): boolean {
  return isJson(value)
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean'
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && NAME.test(value)
}

function isKey(value: unknown): boolean {
  return typeof value === 'string' && ASCII_KEY.test(value)
}

function isTimestamp(value: unknown): boolean {
  return typeof value === 'string' && TIMESTAMP.test(value)
}

function isTraceparent(value: unknown): boolean {
  return typeof value === 'string' && TRACEPARENT.test(value)
}

function isInteger(value: unknown, min: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min
}

function isCount(value: unknown): boolean {
  return isInteger(value, 0)
}

function isCountFrom1(value: unknown): boolean {
  return isInteger(value, 1)
}

function isDuration(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY
}

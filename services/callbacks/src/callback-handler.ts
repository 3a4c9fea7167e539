/**
 * The handler of one type of callback: one invocation is one attempt.
 *
 * | what is found                                    | the attempt                                                            |
 * | ------------------------------------------------ | ---------------------------------------------------------------------- |
 * | no such listener, disabled, or of another type now | fails, not retryable                                                 |
 * | the listener is paused                           | is put off                                                             |
 * | no place at the endpoint or in the account's share | is put off (`admission.ts`)                                          |
 * | delivered                                        | succeeds                                                               |
 * | anything else                                    | fails with the outcome's code; retryable as it says, not before `Retry-After` |
 * | gone (410)                                       | fails, not retryable, and disables the listener                        |
 */
import {
  type Delivery,
  derivedUuid,
  MAX_RESPONSE_EXCERPT_CHARS,
  shownHeaders,
  uuidv7,
} from '@signalbox/contracts'
import { type DeliveryOutcome, passResultOf, type Signer } from '@signalbox/outbound'
import {
  defer,
  defineHandler,
  type Handler,
  HandlerError,
  type Invocation,
} from '@signalbox/worker'
import { z } from 'zod'
import type { Admissions } from './admission.ts'
import { bodyOf, type CallbackConfig, type CallbackType } from './callback-type.ts'
import type { DeliveryRecorder } from './delivery-recorder.ts'
import type { ListenerCache, OpenListener } from './listener-cache.ts'
import type { Disabling } from './listener-disabling.ts'
import type { CallbackMetrics } from './metrics.ts'

/** The longest that a callback's own time may be, a wait for its place, and some room. */
const HANDLER_TIMEOUT_MS = 75_000
const FIRST_PAUSE_MS = 15_000
const MAX_PAUSE_MS = 600_000

export interface CallbackHandlerDeps {
  listeners: Pick<ListenerCache, 'find'>
  admissions: Pick<Admissions, 'admit'>
  signer: Signer
  recorder: Pick<DeliveryRecorder, 'add'>
  disabling: Pick<Disabling, 'gone'>
  metrics: CallbackMetrics
  /** The wall clock; default `Date.now`. */
  now?(): number
}

export function callbackHandler<Config extends CallbackConfig>(
  type: CallbackType<Config>,
  deps: CallbackHandlerDeps,
): Handler {
  const { listeners, admissions, signer, recorder, disabling, metrics, now = Date.now } = deps

  async function deliver(config: Config, invocation: Invocation<Config>, listener: OpenListener) {
    const { event } = invocation
    const id = webhookIdOf(invocation)
    const secrets = listener.secretsAt(now())
    const headers = { ...lowerCased(config.headers), ...listener.secretHeaders }
    const body = bodyOf(config, event)
    const signature = signer.headersOf({ id, timestampMs: now(), body, secrets })
    const outcome = await type.deliver({ config, event, listener, id, body, headers, signature })
    const shown = shownHeaders({ ...headers, ...signature }, Object.keys(listener.secretHeaders))
    return { outcome, request: { ...type.target(config, event), headers: shown } }
  }

  return defineHandler({
    name: type.handler,
    description: type.description,
    config: type.config,
    output: z.strictObject({ status: z.int().optional(), duration_ms: z.number() }),
    timeoutMs: HANDLER_TIMEOUT_MS,
    async handle(invocation) {
      const { event, deferrals } = invocation
      const { account_key: accountKey } = event
      const { listener_id: listenerId } = invocation.config
      const found = await listeners.find(accountKey, listenerId)
      requireDeliverable(found, listenerId)
      const { listener } = found
      const config = type.bound(invocation.config, listener.callback)
      if (config === undefined) {
        const is = `the listener "${listenerId}" is told over ${listener.callback.type} now`
        throw undeliverable('LISTENER_CHANGED', is)
      }
      if (listener.state === 'paused') {
        metrics.deferred.inc({ type: type.name, reason: 'paused' })
        return defer({ retryAfterMs: pausedMs(deferrals) })
      }
      const { limits } = listener
      const admission = await admissions.admit({ accountKey, listenerId, limits, deferrals })
      if (!admission.go) {
        metrics.deferred.inc({ type: type.name, reason: admission.reason })
        return defer(admission)
      }
      const at = new Date(now()).toISOString()
      const { outcome, request } = await settled(
        () => deliver(config, invocation, found),
        admission.settle,
      )
      metrics.callbacks.inc({ type: type.name, outcome: outcome.outcome })
      metrics.duration.observe({ type: type.name }, outcome.durationMs / 1_000)
      recorder.add({ accountKey, delivery: deliveryOf(invocation, outcome, { at, request }) })
      if (outcome.outcome === 'refused' && outcome.isGone) {
        await disabling.gone(accountKey, listener)
      }
      return { output: outputOf(outcome) }
    },
  })
}

/** Settles as the work says, or without a verdict when it throws: then nothing was sent. */
async function settled<Value extends { outcome: DeliveryOutcome }>(
  work: () => Promise<Value>,
  settle: (result: ReturnType<typeof passResultOf>) => void,
): Promise<Value> {
  try {
    const value = await work()
    settle(passResultOf(value.outcome))
    return value
  } finally {
    settle({ verdict: 'neutral' })
  }
}

function requireDeliverable(
  found: OpenListener | undefined,
  listenerId: string,
): asserts found is OpenListener {
  if (!found) throw undeliverable('UNKNOWN_LISTENER', `there is no listener "${listenerId}"`)
  const { state, disabled_reason: reason } = found.listener
  if (state !== 'disabled') return
  const why = reason === undefined ? '' : `: ${reason}`
  throw undeliverable('LISTENER_DISABLED', `the listener "${listenerId}" is disabled${why}`)
}

function undeliverable(code: string, message: string): HandlerError {
  return new HandlerError({ code, message, retryable: false })
}

/** Doubles, and is spread over its upper half. */
function pausedMs(deferrals: number): number {
  const longestMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(deferrals, 16))
  return (longestMs / 2) * (1 + Math.random())
}

/** The same at every attempt, and when the event is sent again by another run: whoever has it already knows it by this. */
function webhookIdOf({ event, chainId, stepId }: Invocation<CallbackConfig>): string {
  return derivedUuid('webhook', event.account_key, event.event_id, chainId, stepId)
}

/** Throws what the step fails with, unless it was delivered. */
function outputOf(outcome: DeliveryOutcome): { status?: number | undefined; duration_ms: number } {
  if (outcome.outcome === 'delivered') {
    return { status: outcome.status, duration_ms: outcome.durationMs }
  }
  throw new HandlerError({
    code: codeOf(outcome),
    message: outcome.message,
    retryable: outcome.retryable,
    retryAfterMs: outcome.outcome === 'refused' ? outcome.retryAfterMs : undefined,
  })
}

function codeOf(outcome: Exclude<DeliveryOutcome, { outcome: 'delivered' }>): string {
  return outcome.outcome === 'timed_out' ? 'TIMED_OUT' : outcome.code
}

/** Each attempt that is made has an identity of its own: also one that is made again because a worker died. */
function deliveryOf(
  { config, event, attempt, idempotencyKey, runId }: Invocation<CallbackConfig>,
  outcome: DeliveryOutcome,
  { at, request }: Pick<Delivery, 'at' | 'request'>,
): Delivery {
  const failure =
    outcome.outcome === 'delivered' ? {} : { code: codeOf(outcome), message: outcome.message }
  return {
    delivery_id: uuidv7(),
    listener_id: config.listener_id,
    event_id: event.event_id,
    conversation_type: event.conversation_type,
    conversation_key: event.conversation_key,
    event_type: event.event_type,
    run_id: runId,
    invocation_id: idempotencyKey,
    attempt,
    at,
    request,
    outcome: outcome.outcome,
    duration_ms: outcome.durationMs,
    ...failure,
    ...('status' in outcome && outcome.status !== undefined ? { status: outcome.status } : {}),
    ...(outcome.address === undefined ? {} : { address: outcome.address }),
    ...('responseExcerpt' in outcome && outcome.responseExcerpt !== undefined
      ? { response_excerpt: outcome.responseExcerpt.slice(0, MAX_RESPONSE_EXCERPT_CHARS) }
      : {}),
  }
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
}

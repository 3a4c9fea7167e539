/**
 * One invocation from its config to its result: checks what goes into the handler and what comes out of it.
 *
 * Everything that the handler does wrong is a failed result. Only a stopping worker is not the handler's fault: that is thrown,
 * and the invocation goes back to its queue.
 */
import {
  commandInputSchema,
  firedEventSchema,
  type HandlerInvocation,
  type Json,
  LIMITS,
  type StepResult,
} from '@signalbox/contracts'
import { AppError, type Log, parseInput } from '@signalbox/kit'
import { z } from 'zod'
import { retryAfterOf, stepErrorOf } from './fault.ts'
import { type Handler, type HandlerOutcome, isDeferral } from './handler.ts'
import { inTime } from './in-time.ts'
import { whileUnavailable } from './patience.ts'

const MAX_FIRED = 100
/** Room for the identity and the origin that the dispatcher adds to what was fired. */
const FIRED_HEADROOM_BYTES = 16 * 1024

export interface ExecutionDeps {
  log: Log
  /** Aborts, with an `UnavailableError`, when the worker stops and waits no longer. */
  shutdown: AbortSignal
  /** How long a handler that throws `UnavailableError` (Redis is away) is called again before that counts as its failure. */
  patienceMs: number
}

/** Rejects only with the reason of `shutdown`, when that came first. */
export async function executeInvocation(
  handler: Handler,
  invocation: HandlerInvocation,
  deps: ExecutionDeps,
): Promise<StepResult> {
  const startedAtMs = performance.now()
  const outcome = await outcomeOf(handler, invocation, deps)
  const { invocation_id, attempt, redeliveries = 0, context } = invocation
  return {
    invocation_id,
    attempt,
    ...outcome,
    duration_ms: Math.round((performance.now() - startedAtMs) * 1_000) / 1_000,
    ...(redeliveries === 0 ? {} : { redeliveries }),
    context,
  }
}

type Outcome = Pick<
  StepResult,
  'status' | 'output' | 'error' | 'retry_after_ms' | 'events' | 'commands'
>

async function outcomeOf(
  handler: Handler,
  invocation: HandlerInvocation,
  { log, shutdown, patienceMs }: ExecutionDeps,
): Promise<Outcome> {
  const { context } = invocation
  try {
    const config = parseInput(
      handler.config,
      invocation.config,
      `the config of handler "${handler.name}"`,
      'SB_HANDLER_CONFIG',
    )
    const call = {
      config,
      event: context.event,
      results: context.results,
      error: context.error,
      runId: context.run_id,
      chainId: context.chain.chain_id,
      stepId: context.chain.steps[context.step_index]?.id ?? '',
      attempt: invocation.attempt,
      deferrals: context.deferrals ?? 0,
      redeliveries: invocation.redeliveries ?? 0,
      idempotencyKey: invocation.invocation_id,
      log,
    }
    const timeoutMs = Math.min(handler.timeoutMs, invocation.timeout_ms ?? handler.timeoutMs)
    const limits = { timeoutMs, shutdown, what: `handler "${handler.name}"` }
    const returned = await whileUnavailable(
      () => inTime(async (signal) => handler.handle({ ...call, signal }), limits),
      { patienceMs, signal: shutdown },
    )
    if (isDeferral(returned)) {
      return { status: 'deferred', ...retryAfterOf(returned.retryAfterMs) }
    }
    return { status: 'succeeded', ...checked(handler, returned ?? {}) }
  } catch (error) {
    shutdown.throwIfAborted()
    return { status: 'failed', error: stepErrorOf(error) }
  }
}

const firedSchema = z.looseObject({
  events: z.array(firedEventSchema).max(MAX_FIRED).optional(),
  commands: z.array(commandInputSchema).max(MAX_FIRED).optional(),
})

/** What the handler returned, as it may go on the wire. Throws `AppError` (`SB_HANDLER_OUTPUT`). */
function checked(handler: Handler, returned: HandlerOutcome<unknown>): Omit<Outcome, 'status'> {
  if (firesNothing(returned)) {
    const output = checkedOutput(handler, returned.output)
    return output === undefined ? {} : { output }
  }
  const what = `what handler "${handler.name}" returned`
  const { events = [], commands = [] } = parseInput(
    firedSchema,
    returned,
    what,
    'SB_HANDLER_OUTPUT',
  )
  for (const [index, { conversation_type, event_type }] of events.entries()) {
    if (mayFire(handler, conversation_type, event_type)) continue
    throw badOutput(
      `${what} is not valid: events[${index}]: ${conversation_type}.${event_type} is not one of the kinds that it says it fires`,
    )
  }
  for (const fired of [...events, ...commands]) {
    jsonOf(fired, `an event or command in ${what}`, LIMITS.maxMessageBytes - FIRED_HEADROOM_BYTES)
  }
  const output = checkedOutput(handler, returned.output)
  return {
    ...(output === undefined ? {} : { output }),
    ...(events.length === 0 ? {} : { events }),
    ...(commands.length === 0 ? {} : { commands }),
  }
}

/** Without asking the schema, which costs more than many a handler. */
function firesNothing(returned: HandlerOutcome<unknown>): boolean {
  return (
    Object.getPrototypeOf(returned) === Object.prototype &&
    returned.events === undefined &&
    returned.commands === undefined
  )
}

function checkedOutput(handler: Handler, output: unknown): Json | undefined {
  if (output === undefined && handler.output === undefined) return undefined
  const what = `the output of handler "${handler.name}"`
  const parsed = handler.output
    ? parseInput(handler.output, output, what, 'SB_HANDLER_OUTPUT')
    : output
  return parsed === undefined ? undefined : jsonOf(parsed, what, LIMITS.maxStepOutputBytes)
}

function mayFire({ fires }: Handler, conversationType: string, eventType: string): boolean {
  if (fires === 'any') return true
  return fires.some(
    (kind) => kind.conversation_type === conversationType && kind.event_type === eventType,
  )
}

/** The value as its JSON reads back. */
function jsonOf(value: unknown, what: string, maxBytes: number): Json {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    throw badOutput(`${what} cannot be written as JSON`, cause)
  }
  if (text === undefined) throw badOutput(`${what} cannot be written as JSON`)
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes)
    throw badOutput(`${what} has ${bytes} bytes; at most ${maxBytes} may be sent`)
  return JSON.parse(text) as Json
}

function badOutput(message: string, cause?: unknown): AppError {
  return new AppError('SB_HANDLER_OUTPUT', message, { retryable: false, cause })
}

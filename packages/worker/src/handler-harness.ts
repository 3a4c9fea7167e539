/** Runs one handler once, as a worker would: config and outcome are checked, what it throws becomes an error. */
import {
  type CommandInput,
  completeEvent,
  type EventInput,
  eventInputSchema,
  type FiredEvent,
  type Json,
  type JsonObject,
  type RunContext,
  type StepError,
  type StepResult,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { type Log, parseInput, silentLog } from '@signalbox/kit'
import { executeInvocation } from './execution.ts'
import type { Handler } from './handler.ts'

export interface HandlerTest {
  /** As a step has it after its templates were resolved. */
  config?: JsonObject
  /** Over the defaults of `anEvent`. */
  event?: Partial<EventInput>
  /** Output of the steps before, by step id. */
  results?: Record<string, Json>
  /** A failure before that did not stop the run. */
  error?: NonNullable<RunContext['error']>
  /** Default 1. */
  attempt?: number
  /** How often the attempt was put off before; default 0. */
  deferrals?: number
  /** The handler's `idempotencyKey`; default: one of its own for each call. */
  idempotencyKey?: string
  /** Default: keeps nothing. */
  log?: Log
}

export interface HandlerTestOutcome {
  status: 'succeeded' | 'failed' | 'deferred'
  output: Json | undefined
  /** Why it failed. */
  error: StepError | undefined
  /** Of `deferred`: how long it asked for. */
  retryAfterMs: number | undefined
  /** What it fired; empty when it failed. */
  events: FiredEvent[]
  commands: CommandInput[]
}

/** A complete event; what is not given is of the account `test`, conversation `conversation`, kind `poll`, `poll_complete`. */
export function anEvent(overrides: Partial<EventInput> = {}): VumiApiEvent {
  const input = {
    account_key: 'test',
    conversation_key: 'conversation',
    conversation_type: 'poll',
    event_type: 'poll_complete',
    event_data: {},
    ...overrides,
  }
  return completeEvent(parseInput(eventInputSchema, input, 'the event'))
}

/** Never rejects for what the handler does: a failure is an outcome. A handler that throws `UnavailableError` is called once. */
export async function testHandler(
  handler: Handler,
  test: HandlerTest = {},
): Promise<HandlerTestOutcome> {
  const { config = {}, results = {}, error, attempt = 1, deferrals = 0, log = silentLog } = test
  const event = anEvent(test.event)
  const step = { id: 'step', handler: handler.name, config, on_error: 'stop' } as const
  const result = await executeInvocation(
    handler,
    {
      invocation_id: test.idempotencyKey ?? event.event_id,
      attempt,
      handler: handler.name,
      config,
      context: {
        run_id: event.event_id,
        event,
        results,
        ...(error === undefined ? {} : { error }),
        chain: { chain_id: 'chain', version: 1, name: 'chain', steps: [step] },
        step_index: 0,
        ...(deferrals === 0 ? {} : { deferrals }),
      },
    },
    { log, shutdown: new AbortController().signal, patienceMs: 0 },
  )
  return {
    status: statusOf(result),
    output: result.output,
    error: result.error,
    retryAfterMs: result.retry_after_ms,
    events: result.events ?? [],
    commands: result.commands ?? [],
  }
}

/** n.b. a handler cannot say that its step was skipped. */
function statusOf({ status }: StepResult): HandlerTestOutcome['status'] {
  return status === 'skipped' ? 'succeeded' : status
}

/** What the dispatcher does with results: publish what the step fired, make the run's next move, tell the biography. */
import { type Delivery, deadLetterOf, readAs, readJson, type Settlement } from '@signalbox/broker'
import {
  advanceRun,
  countedAnswer,
  type Fired,
  firedBy,
  type Move,
  stepIdOf,
} from '@signalbox/chains'
import {
  attemptIdOf,
  type BiographyFact,
  inTry,
  isPlainResult,
  LIMITS,
  type RunContext,
  runContextSchema,
  type StepError,
  type StepResult,
  stepResultSchema,
  type VumiApiCommand,
} from '@signalbox/contracts'
import { AppError, fieldErrorsOf, summarise } from '@signalbox/kit'
import { z } from 'zod'
import { timestampOf } from './clock.ts'
import { type EffectivelyOnceDeps, effectivelyOnce, type Performed } from './effectively-once.ts'
import { endOfSuccess, type MoveDeps, type MoveOptions, performMove } from './moves.ts'

/** Each item is read by itself: one that is bad harms no other. */
const batchSchema = z.array(z.unknown()).min(1).max(LIMITS.maxBatchItems)

const attemptSchema = stepResultSchema.shape.attempt

export type ResultHandlingDeps = MoveDeps & EffectivelyOnceDeps

/** A body is an array of results, of any runs. Rejects with a retryable error when store or broker are away; `pass` as for events. */
export async function handleResults(
  delivery: Delivery,
  deps: ResultHandlingDeps,
  pass = 1,
): Promise<Settlement> {
  let items: unknown[]
  try {
    items = readAs(
      batchSchema,
      readJson(delivery.body, 'the message', LIMITS.maxBatchBytes),
      'the message',
    )
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return {
      kind: 'dead_letter',
      reason: { code: error.code, message: error.message, about: 'result' },
    }
  }
  const isRepeated = delivery.redelivered || pass > 1
  await Promise.all(items.map((item) => handleItem(item, isRepeated, delivery, deps)))
  return { kind: 'ack' }
}

async function handleItem(
  item: unknown,
  isRepeated: boolean,
  delivery: Delivery,
  deps: ResultHandlingDeps,
): Promise<void> {
  const read = readResult(item)
  if (!('context' in read)) {
    const message = {
      exchange: delivery.exchange,
      routingKey: delivery.routingKey,
      body: Buffer.from(JSON.stringify(item)),
    }
    await deps.publisher.deadLetter(
      deadLetterOf(message, {
        code: 'SB_INVALID_MESSAGE',
        message: read.message,
        about: 'result',
      }),
    )
    deps.log.warn({ reason: read.message }, 'result.dead_lettered')
    return
  }
  const result = countedAnswer(read.context, read)
  const { context, attempt } = result
  const done = await effectivelyOnce(
    {
      accountKey: context.event.account_key,
      eventId: context.event.event_id,
      name: attemptIdOf(context, attempt),
      plan: null,
      foregone: foregoneEnd(result),
      isRepeated,
    },
    (_plan, options) => handleResult(result, options, deps),
    deps,
  )
  if (done === 'duplicate') deps.metrics.duplicates.inc({ of: 'result' })
  if (done !== 'foregone') return
  observe(result, deps)
  deps.metrics.runs.inc({ outcome: 'succeeded' })
}

/** What the last result of a run that succeeds comes to, when it fires nothing: nothing is to be published then. */
function foregoneEnd(result: StepResult): Performed | undefined {
  const { context, status, events = [], commands = [] } = result
  const isLast = context.step_index + 1 >= context.chain.steps.length
  if (!isLast || status === 'failed' || events.length + commands.length > 0) return undefined
  const move = advanceRun(context, result)
  if (move.kind !== 'end' || move.outcome !== 'succeeded') return undefined
  const facts = [
    ...stepFacts(result, { events: [], commands: [] }, move),
    endOfSuccess(move.context),
  ]
  return { outcome: answerOf(result), facts: inTry(context, facts) }
}

/** The answer, without the run: a worker gives it again instead of doing the step again. */
function answerOf({ status, output, error, retry_after_ms, duration_ms }: StepResult) {
  return { status, output, error, retry_after_ms, duration_ms }
}

function observe({ context, status, duration_ms }: StepResult, deps: ResultHandlingDeps): void {
  // n.b. putting off takes no time, and says nothing of what doing takes.
  if (status !== 'deferred') deps.invocations.observe(handlerOf(context), duration_ms)
  deps.metrics.steps.inc({ status })
}

/**
 * A result that is not valid but still carries its run is a failed step, so that the run's `on_error` decides. Without its run
 * there is nobody to ask.
 */
function readResult(item: unknown): StepResult | { message: string } {
  if (isPlainResult(item)) return item
  const parsed = stepResultSchema.safeParse(item)
  if (parsed.success) return parsed.data
  const message = `the result is not valid: ${summarise(fieldErrorsOf(parsed.error))}`
  const loose = item as Partial<StepResult> | null
  const context = runContextSchema.safeParse(loose?.context)
  if (!context.success) return { message }
  return {
    invocation_id: String(loose?.invocation_id ?? ''),
    attempt: attemptSchema.safeParse(loose?.attempt).data ?? 1,
    status: 'failed',
    error: { code: 'SB_INVALID_MESSAGE', message, retryable: false },
    duration_ms: 0,
    context: context.data,
  }
}

async function handleResult(
  answered: StepResult,
  options: MoveOptions,
  deps: ResultHandlingDeps,
): Promise<Performed> {
  const { context } = answered
  const fired = firedBy(answered)
  const refusal = await publishFired(fired, context, deps)
  const result = refusal ? { ...answered, status: 'failed' as const, error: refusal } : answered
  observe(result, deps)
  const move = advanceRun(context, result)
  const facts = await performMove(move, options, deps)
  return {
    outcome: answerOf(result),
    facts: inTry(context, [...stepFacts(result, fired, move), ...facts]),
  }
}

/** Resolves after the confirms; to an error when something can never be published (it is too large). */
async function publishFired(
  { events, commands }: Fired,
  context: RunContext,
  deps: ResultHandlingDeps,
): Promise<StepError | undefined> {
  if (events.length + commands.length === 0) return undefined
  const { traceparent } = context
  try {
    await Promise.all([
      ...events.map((event) => deps.publisher.event(event, { traceparent })),
      ...commands.map((command) => publishCommand(command, context, deps)),
    ])
  } catch (error) {
    if (!(error instanceof AppError) || error.retryable) throw error
    return { code: error.code, message: error.message, retryable: false }
  }
  deps.metrics.fired.inc({ kind: 'event' }, events.length)
  deps.metrics.fired.inc({ kind: 'command' }, commands.length)
  return undefined
}

async function publishCommand(
  command: VumiApiCommand,
  context: RunContext,
  { publisher, topology, log }: ResultHandlingDeps,
): Promise<void> {
  const { event, run_id, chain, traceparent } = context
  if ((await publisher.command(command, { traceparent })) === 'routed') return
  const { worker_name } = command
  await publisher.deadLetter(
    deadLetterOf(
      {
        exchange: topology.exchange.commands,
        routingKey: worker_name,
        body: Buffer.from(JSON.stringify(command)),
      },
      {
        code: 'SB_UNKNOWN_WORKER',
        message: `no worker "${worker_name}" takes commands; the command was "${command.command}"`,
        about: 'command',
        account_key: event.account_key,
        event_id: event.event_id,
        run_id,
        chain_id: chain.chain_id,
        step_id: stepIdOf(context),
      },
    ),
  )
  log.warn(
    { accountKey: event.account_key, runId: run_id, workerName: worker_name },
    'command.dead_lettered',
  )
}

/** None of an attempt that was put off: when it ends, it is told how often that was so. */
function stepFacts(
  result: StepResult,
  { events, commands }: Fired,
  move: Move,
): Extract<BiographyFact, { fact: 'step' }>[] {
  const { context, status, error, redeliveries = 0 } = result
  if (status === 'deferred') return []
  const nowMs = Date.now()
  const fact = {
    fact: 'step' as const,
    at: timestampOf(nowMs),
    run_id: context.run_id,
    step_id: stepIdOf(context),
    handler: handlerOf(context),
    attempt: result.attempt,
    status,
    duration_ms: result.duration_ms,
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
    ...(move.kind === 'retry' ? { retry_at: timestampOf(nowMs + move.delayMs) } : {}),
    ...(redeliveries === 0 ? {} : { redeliveries }),
    ...(context.deferrals === undefined ? {} : { deferrals: context.deferrals }),
    ...(events.length === 0 ? {} : { fired_events: events.map(({ event_id }) => event_id) }),
    ...(commands.length === 0
      ? {}
      : { fired_commands: commands.map(({ command_id }) => command_id) }),
  }
  return [fact]
}

function handlerOf({ chain, step_index }: RunContext): string {
  return chain.steps[step_index]?.handler ?? 'unknown'
}

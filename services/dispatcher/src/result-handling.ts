/** What the dispatcher does with results: publish what the step fired, make the run's next move, tell the biography. */
import { type Delivery, deadLetterOf, type Settlement } from '@signalbox/broker'
import { advanceRun } from '@signalbox/chains'
import {
  type BiographyFact,
  type CommandInput,
  completeCommand,
  completeEvent,
  type FiredEvent,
  firedIdOf,
  LIMITS,
  runContextSchema,
  type StepResult,
  stepResultSchema,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { fieldErrorsOf, summarise } from '@signalbox/kit'
import type { BiographyStore } from '@signalbox/store'
import { readJson } from './intake.ts'
import { type MoveDeps, performMove, stepIdOf } from './moves.ts'

export interface ResultHandlingDeps extends MoveDeps {
  biographies: Pick<BiographyStore, 'record'>
}

/** A body is an array of results, of any runs. Rejects with a retryable error when store or broker are away. */
export async function handleResults(
  delivery: Delivery,
  deps: ResultHandlingDeps,
): Promise<Settlement> {
  const json = readJson(delivery.body, 'result', LIMITS.maxBatchBytes)
  if (!json.ok) return { kind: 'dead_letter', reason: json.reason }
  const items = json.value
  if (!Array.isArray(items) || items.length === 0 || items.length > LIMITS.maxBatchItems) {
    const message = `the message must be an array of 1 to ${LIMITS.maxBatchItems} results`
    return { kind: 'dead_letter', reason: { code: 'SB_INVALID_MESSAGE', message, about: 'result' } }
  }
  await Promise.all(items.map((item) => handleItem(item, delivery, deps)))
  return { kind: 'ack' }
}

async function handleItem(
  item: unknown,
  delivery: Delivery,
  deps: ResultHandlingDeps,
): Promise<void> {
  const result = readResult(item)
  if (!('context' in result)) {
    const message = {
      exchange: delivery.exchange,
      routingKey: delivery.routingKey,
      body: Buffer.from(JSON.stringify(item)),
    }
    await deps.publisher.deadLetter(
      deadLetterOf(message, {
        code: 'SB_INVALID_MESSAGE',
        message: result.message,
        about: 'result',
      }),
    )
    deps.log.warn({ reason: result.message }, 'result.dead_lettered')
    return
  }
  await handleResult(result, delivery.properties.traceparent, deps)
}

/**
 * A result that is not valid but still carries its run is a failed step, so that the run's `on_error` decides. Without its run
 * there is nobody to ask.
 */
function readResult(item: unknown): StepResult | { message: string } {
  const parsed = stepResultSchema.safeParse(item)
  if (parsed.success) return parsed.data
  const message = `the result is not valid: ${summarise(fieldErrorsOf(parsed.error))}`
  const loose = item as Partial<StepResult> | null
  const context = runContextSchema.safeParse(loose?.context)
  if (!context.success) return { message }
  return {
    invocation_id: String(loose?.invocation_id ?? ''),
    attempt: 1,
    status: 'failed',
    error: { code: 'SB_INVALID_MESSAGE', message, retryable: false },
    duration_ms: 0,
    context: context.data,
  }
}

async function handleResult(
  result: StepResult,
  traceparent: string | undefined,
  deps: ResultHandlingDeps,
): Promise<void> {
  const { context } = result
  const [firedEvents, firedCommands] = await Promise.all([
    publishEvents(result, traceparent, deps),
    publishCommands(result, traceparent, deps),
  ])
  const facts = await performMove(advanceRun(context, result), traceparent, deps)
  await deps.biographies.record([
    {
      accountKey: context.event.account_key,
      eventId: context.event.event_id,
      facts: [stepFact(result, firedEvents, firedCommands), ...facts],
    },
  ])
  deps.metrics.steps.inc({ status: result.status })
}

async function publishEvents(
  result: StepResult,
  traceparent: string | undefined,
  deps: ResultHandlingDeps,
): Promise<string[]> {
  const events = (result.events ?? []).map((fired, index) => causedEvent(result, fired, index))
  await Promise.all(events.map((event) => deps.publisher.event(event, { traceparent })))
  deps.metrics.fired.inc({ kind: 'event' }, events.length)
  return events.map((event) => event.event_id)
}

/** The event that a step fired, complete: its account is the run's, its identity follows from the invocation. */
function causedEvent(result: StepResult, fired: FiredEvent, index: number): VumiApiEvent {
  const { event, run_id, chain } = result.context
  return completeEvent({
    ...fired,
    event_id: firedIdOf(result.invocation_id, 'event', index),
    account_key: event.account_key,
    caused_by: {
      event_id: event.event_id,
      run_id,
      step_id: stepIdOf(result.context),
      hops: (event.caused_by?.hops ?? 0) + 1,
      path: [...(event.caused_by?.path ?? []), chain.chain_id],
    },
  })
}

async function publishCommands(
  result: StepResult,
  traceparent: string | undefined,
  deps: ResultHandlingDeps,
): Promise<string[]> {
  const publish = async (input: CommandInput, index: number): Promise<string> => {
    const command = completeCommand({
      ...input,
      command_id: firedIdOf(result.invocation_id, 'command', index),
    })
    if ((await deps.publisher.command(command, { traceparent })) === 'unroutable') {
      const { event, run_id, chain } = result.context
      const message = `no worker "${command.worker_name}" takes commands; the command was "${command.command}"`
      await deps.publisher.deadLetter(
        deadLetterOf(
          {
            exchange: deps.topology.exchange.commands,
            routingKey: command.worker_name,
            body: Buffer.from(JSON.stringify(command)),
          },
          {
            code: 'SB_UNKNOWN_WORKER',
            message,
            about: 'command',
            account_key: event.account_key,
            event_id: event.event_id,
            run_id,
            chain_id: chain.chain_id,
            step_id: stepIdOf(result.context),
          },
        ),
      )
      deps.log.warn(
        { accountKey: event.account_key, runId: run_id, workerName: command.worker_name },
        'command.dead_lettered',
      )
    }
    return command.command_id
  }
  const ids = await Promise.all((result.commands ?? []).map(publish))
  deps.metrics.fired.inc({ kind: 'command' }, ids.length)
  return ids
}

function stepFact(
  result: StepResult,
  firedEvents: string[],
  firedCommands: string[],
): BiographyFact {
  const { context, error } = result
  const step = context.chain.steps[context.step_index]
  return {
    fact: 'step',
    at: new Date().toISOString(),
    run_id: context.run_id,
    step_id: stepIdOf(context),
    handler: step?.handler ?? 'unknown',
    attempt: result.attempt,
    status: result.status,
    duration_ms: result.duration_ms,
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
    ...(firedEvents.length === 0 ? {} : { fired_events: firedEvents }),
    ...(firedCommands.length === 0 ? {} : { fired_commands: firedCommands }),
  }
}

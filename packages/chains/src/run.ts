/**
 * The run: one execution of one chain for one event, as a pure state machine.
 *
 * Its whole state is the `RunContext` that travels with each invocation and comes back with each result. A *move* is what has to
 * happen next: invoke a step on a worker, now or (a *retry*) later, or end. On the way to it the machine passes steps that need no worker: those
 * whose condition is false (skipped) and those whose condition or templates cannot be evaluated (failed).
 *
 * | a step …                      | `on_error`   | the run …                                                    |
 * | ----------------------------- | ------------ | ------------------------------------------------------------ |
 * | succeeds                      |              | keeps its output under `results.<step_id>`, goes on          |
 * | is skipped                    |              | goes on; `results` has nothing of it                         |
 * | is deferred                   |              | stays where it is: the same attempt comes again after a delay |
 * | fails, has attempts left      |              | stays where it is: the step is invoked again after a delay   |
 * | fails                         | `stop`       | ends as a dead letter with the step's error                  |
 * | fails                         | `continue`   | goes on, with `error` in view of later conditions            |
 * | fails                         | `{steps: …}` | goes on with these steps in the place of all that was left   |
 *
 * A worker that defers has not begun, so no attempt is used; `deferrals` in the context counts how often that was so. After 1,000 times the
 * attempt has failed. A step has attempts left while its retry policy (`retry.ts`) allows another and its error does not say that trying again is pointless.
 */
import {
  type ChainSnapshot,
  type HandlerInvocation,
  invocationIdOf,
  type JsonObject,
  type RunContext,
  runIdOf,
  type Step,
  type StepResult,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { compileCondition, compileTemplate, type Scope } from '@signalbox/expressions'
import { AppError } from '@signalbox/kit'
import { deferralDelayMs, hasAttemptAfter, retryDelayMs } from './retry.ts'

export interface RunError {
  code: string
  message: string
}

/** A step that was decided without a worker. */
export interface PassedStep {
  step_id: string
  handler: string
  status: 'skipped' | 'failed'
  error?: RunError
}

export type Move =
  | { kind: 'invoke'; invocation: HandlerInvocation; passed: PassedStep[] }
  | {
      /** `retry`: the next attempt; `defer`: the same one again. */
      kind: 'retry' | 'defer'
      invocation: HandlerInvocation
      delayMs: number
      passed: PassedStep[]
    }
  | { kind: 'end'; outcome: 'succeeded'; context: RunContext; passed: PassedStep[] }
  | {
      kind: 'end'
      outcome: 'dead_lettered'
      context: RunContext
      passed: PassedStep[]
      /** The step that failed and stopped the run. */
      step: Step
      error: RunError
      attempts: number
    }

/** What a worker answers about a step, as far as the run minds it. */
export type Answer = Pick<StepResult, 'attempt' | 'status' | 'output' | 'error' | 'retry_after_ms'>

/** How often one attempt may be put off. */
export const MAX_DEFERRALS = 1_000

/** The first move. The same event and chain give the same `run_id`, however often they meet. */
export function startRun(event: VumiApiEvent, chain: ChainSnapshot, traceparent?: string): Move {
  const { chain_id, version, name, steps } = chain
  return proceed({
    run_id: runIdOf(event.account_key, event.event_id, chain_id),
    event,
    results: {},
    chain: { chain_id, version, name, steps },
    step_index: 0,
    ...(traceparent === undefined ? {} : { traceparent }),
  })
}

/** The move of a run that stopped, and is to go on from the step that it is at: its condition and templates are looked at again. */
export function resumeRun(context: RunContext): Move {
  return proceed(context)
}

/** The answer as it counts: an attempt that is put off once too often has failed. */
export function countedAnswer<Given extends Answer>(context: RunContext, answer: Given): Given {
  const { deferrals = 0 } = context
  if (answer.status !== 'deferred' || deferrals < MAX_DEFERRALS) return answer
  const message = `the worker has put the attempt off ${deferrals} times`
  return {
    ...answer,
    status: 'failed',
    error: { code: 'SB_DEFERRAL_LIMIT', message, retryable: true },
  }
}

/** The move after a worker's result. `context` is the run as it was when the step was invoked; `random`, from 0 to 1, spreads retries. */
export function advanceRun(given: RunContext, answer: Answer, random?: number): Move {
  const step = given.chain.steps[given.step_index]
  if (!step) return proceed(given)
  const result = countedAnswer(given, answer)
  if (result.status === 'deferred') return defer(given, step, result)
  const context = withoutDeferrals(given)
  switch (result.status) {
    case 'succeeded':
      return proceed({
        ...context,
        results: { ...context.results, [step.id]: result.output ?? null },
        step_index: context.step_index + 1,
      })
    case 'skipped':
      return proceed({ ...context, step_index: context.step_index + 1 })
    case 'failed':
      return retry(context, step, result, random) ?? fail(context, step, result)
  }
}

/** Goes from `step_index` on to the first step that a worker has to do, or to the end. */
function proceed(from: RunContext): Move {
  const passed: PassedStep[] = []
  let context = withoutDeferrals(from)
  for (;;) {
    const step = context.chain.steps[context.step_index]
    if (!step) return { kind: 'end', outcome: 'succeeded', context, passed }

    const prepared = prepare(step, context)
    if (prepared.kind === 'ready') {
      return { kind: 'invoke', invocation: invocationOf(context, step, prepared.config, 1), passed }
    }
    if (prepared.kind === 'skipped') {
      passed.push({ step_id: step.id, handler: step.handler, status: 'skipped' })
      context = { ...context, step_index: context.step_index + 1 }
      continue
    }
    passed.push({
      step_id: step.id,
      handler: step.handler,
      status: 'failed',
      error: prepared.error,
    })
    const next = afterFailure(context, step, prepared.error)
    if (!next) return deadLettered(context, passed, step, prepared.error, 1)
    context = next
  }
}

function defer(from: RunContext, step: Step, { attempt, retry_after_ms }: Answer): Move {
  const context = { ...from, deferrals: (from.deferrals ?? 0) + 1 }
  // n.b. Its condition held when the attempt was first sent; the clock may have moved since.
  const prepared = prepare({ ...step, when: undefined }, context)
  if (prepared.kind !== 'ready') {
    const error = prepared.kind === 'failed' ? { ...prepared.error, retryable: false } : undefined
    return fail(withoutDeferrals(from), step, { attempt, status: 'failed', error })
  }
  const invocation = invocationOf(context, step, prepared.config, attempt)
  return { kind: 'defer', invocation, delayMs: deferralDelayMs(retry_after_ms), passed: [] }
}

/** They are of one attempt. */
function withoutDeferrals(context: RunContext): RunContext {
  if (context.deferrals === undefined) return context
  const { deferrals: _deferrals, ...others } = context
  return others
}

/** Undefined: there is no other attempt. */
function retry(
  context: RunContext,
  step: Step,
  { attempt, error }: Answer,
  random: number | undefined,
): Move | undefined {
  if (error?.retryable === false || !hasAttemptAfter(attempt, step.retry)) return undefined
  // n.b. Its condition held at the first attempt; the clock may have moved since.
  const prepared = prepare({ ...step, when: undefined }, context)
  if (prepared.kind !== 'ready') return undefined
  return {
    kind: 'retry',
    invocation: invocationOf(context, step, prepared.config, attempt + 1),
    delayMs: retryDelayMs(step.retry, attempt, error?.retry_after_ms, random),
    passed: [],
  }
}

function fail(context: RunContext, step: Step, answer: Answer): Move {
  const error = errorOf(answer)
  const next = afterFailure(context, step, error)
  return next ? proceed(next) : deadLettered(context, [], step, error, answer.attempt)
}

type Prepared =
  | { kind: 'ready'; config: JsonObject }
  | { kind: 'skipped' }
  | { kind: 'failed'; error: RunError }

function prepare(step: Step, context: RunContext): Prepared {
  const scope: Scope = {
    event: context.event,
    results: context.results,
    ...(context.error === undefined ? {} : { error: context.error }),
  }
  try {
    if (step.when !== undefined && !compileCondition(step.when).evaluate(scope))
      return { kind: 'skipped' }
    return { kind: 'ready', config: compileTemplate(step.config).resolve(scope) as JsonObject }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return { kind: 'failed', error: { code: error.code, message: error.message } }
  }
}

function invocationOf(
  context: RunContext,
  step: Step,
  config: JsonObject,
  attempt: number,
): HandlerInvocation {
  return {
    invocation_id: invocationIdOf(context.run_id, step.id),
    attempt,
    handler: step.handler,
    config,
    context,
    ...(step.timeout_ms === undefined ? {} : { timeout_ms: step.timeout_ms }),
  }
}

/** The run after a failed step, or undefined when the failure stops it. */
function afterFailure(context: RunContext, step: Step, error: RunError): RunContext | undefined {
  if (step.on_error === 'stop') return undefined
  const next: RunContext = {
    ...context,
    error: { step_id: step.id, ...error },
    step_index: context.step_index + 1,
  }
  if (step.on_error === 'continue') return next
  const done = context.chain.steps.slice(0, context.step_index + 1)
  return { ...next, chain: { ...context.chain, steps: [...done, ...step.on_error.steps] } }
}

function deadLettered(
  context: RunContext,
  passed: PassedStep[],
  step: Step,
  error: RunError,
  attempts: number,
): Move {
  return { kind: 'end', outcome: 'dead_lettered', context, passed, step, error, attempts }
}

function errorOf(result: Answer): RunError {
  return result.error
    ? { code: result.error.code, message: result.error.message }
    : { code: 'SB_HANDLER_FAILED', message: 'the handler failed and gave no reason' }
}

/** Performing a move: the shell's half of the run machine. What it publishes is confirmed when it resolves. */
import { type Broker, deadLetterOf, type Publisher, type Topology } from '@signalbox/broker'
import { advanceRun, type Move, passedFact, stepIdOf } from '@signalbox/chains'
import type { BiographyFact, RunContext } from '@signalbox/contracts'
import { AppError, type Log } from '@signalbox/kit'
import { timestampOf } from './clock.ts'
import type { InvocationOutbox } from './invocation-outbox.ts'
import type { DispatcherMetrics } from './metrics.ts'

export interface MoveDeps {
  broker: Pick<Broker, 'declare'>
  publisher: Publisher
  invocations: InvocationOutbox
  topology: Topology
  metrics: DispatcherMetrics
  log: Log
}

export interface MoveOptions {
  /** It may have been performed before: workers are told to look first. */
  repeat: boolean
}

/** Performs `move`, and the moves that follow at once from it; resolves to the facts for the event's biography. */
export async function performMove(
  move: Move,
  options: MoveOptions,
  deps: MoveDeps,
): Promise<BiographyFact[]> {
  const facts: BiographyFact[] = passedFacts(move)
  if (move.kind === 'end') return [...facts, await endRun(move, deps)]

  const failure = await send(move, options, deps)
  if (!failure) return facts
  const { context, handler, attempt } = move.invocation
  const step = { step_id: stepIdOf(context), handler, status: 'failed', error: failure } as const
  facts.push(passedFact(context, step, timestampOf(), attempt))
  const error = { ...failure, retryable: false }
  const next = advanceRun(context, { attempt, status: 'failed', error })
  return [...facts, ...(await performMove(next, options, deps))]
}

/** Undefined when the invocation is on its way; else why it can never be. */
async function send(
  move: Exclude<Move, { kind: 'end' }>,
  { repeat }: MoveOptions,
  { broker, publisher, invocations, topology, metrics }: MoveDeps,
): Promise<{ code: string; message: string } | undefined> {
  const invocation = repeat ? { ...move.invocation, repeat } : move.invocation
  try {
    if (move.kind !== 'invoke') {
      await broker.declare(topology.retryQueue(move.delayMs))
      await publisher.retry(invocation, move.delayMs)
      if (move.kind === 'retry') metrics.retries.inc()
      return undefined
    }
    if ((await invocations.send(invocation)) === 'routed') return undefined
    return {
      code: 'SB_UNKNOWN_HANDLER',
      message: `no worker has ever offered the handler "${invocation.handler}"`,
    }
  } catch (error) {
    if (error instanceof AppError && !error.retryable)
      return { code: error.code, message: error.message }
    throw error
  }
}

async function endRun(
  move: Extract<Move, { kind: 'end' }>,
  deps: MoveDeps,
): Promise<BiographyFact> {
  const { context } = move
  deps.metrics.runs.inc({ outcome: move.outcome })
  if (move.outcome === 'succeeded') return endOfSuccess(context)
  const at = timestampOf()
  const { step, error, attempts } = move
  const { event, chain, run_id } = context
  const letter = deadLetterOf(
    {
      exchange: deps.topology.exchange.handlers,
      routingKey: step.handler,
      body: Buffer.from(JSON.stringify(context)),
    },
    {
      ...error,
      about: 'invocation',
      account_key: event.account_key,
      event_id: event.event_id,
      run_id,
      chain_id: chain.chain_id,
      step_id: step.id,
      handler: step.handler,
      attempts,
    },
  )
  await deps.publisher.deadLetter(letter)
  deps.log.warn(
    {
      accountKey: event.account_key,
      eventId: event.event_id,
      runId: run_id,
      stepId: step.id,
      code: error.code,
    },
    'run.dead_lettered',
  )
  return { fact: 'run_ended', at, run_id, outcome: 'dead_lettered', error }
}

export function endOfSuccess({ run_id }: RunContext): BiographyFact {
  return { fact: 'run_ended', at: timestampOf(), run_id, outcome: 'succeeded' }
}

function passedFacts(move: Move): BiographyFact[] {
  const context = move.kind === 'end' ? move.context : move.invocation.context
  return move.passed.map((step) => passedFact(context, step, timestampOf()))
}

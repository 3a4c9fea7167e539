/**
 * Runs chains in memory, through the same check, matching and run machine as in production: without brokers, in milliseconds.
 * What handlers fire is matched again, so that a chain that starts another is seen to. Retries come at once.
 */
import {
  advanceRun,
  checkChain,
  countedAnswer,
  createChainIndex,
  firedBy,
  loopError,
  type Move,
  startRun,
} from '@signalbox/chains'
import {
  type CatalogEntry,
  type ChainInput,
  chainSchema,
  type EventInput,
  type Json,
  type StepResult,
  type StoredChain,
  type VumiApiCommand,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { InvalidInputError, type Log, parseInput, silentLog, summarise } from '@signalbox/kit'
import { executeInvocation } from './execution.ts'
import type { Handler } from './handler.ts'
import { anEvent } from './handler-harness.ts'

/** More than this is a loop that fans out. */
const MAX_EVENTS = 1_000

export interface ChainTest {
  /** One chain or several, as an account writes them; `chain_id` defaults to `chain-1`, `chain-2`, … */
  chain: ChainInput | readonly ChainInput[]
  handlers: readonly Handler[]
  /** One event or several, over the defaults of `anEvent`. */
  event?: Partial<EventInput> | readonly Partial<EventInput>[]
  /** Default `test`. */
  account?: string
  /** What handlers log; default: kept nowhere. */
  log?: Log
}

export interface TestedStep {
  step_id: string
  handler: string
  status: 'succeeded' | 'failed' | 'skipped'
  /** How often the attempt was put off. */
  deferrals?: number
  output?: Json
  error?: { code: string; message: string }
}

export interface TestedRun {
  run_id: string
  chain_id: string
  event: VumiApiEvent
  status: 'succeeded' | 'dead_lettered'
  steps: TestedStep[]
  /** Why it is a dead letter. */
  error?: { code: string; message: string }
}

export interface TestedDeadLetter {
  code: string
  message: string
  event_id: string
  chain_id?: string
  step_id?: string
  /** The chains that an event passed through, when it had too many hops. */
  path?: string[]
}

export interface ChainTestOutcome {
  /** In the order in which they were started. */
  runs: TestedRun[]
  /** Events that started nothing, and why. */
  unmatched: { event: VumiApiEvent; reason: string }[]
  firedEvents: VumiApiEvent[]
  commands: VumiApiCommand[]
  deadLetters: TestedDeadLetter[]
}

/** Throws `InvalidInputError` (`SB_INVALID_CHAIN`) on a chain that could not be saved, with everything that is wrong with it. */
export async function testChain(test: ChainTest): Promise<ChainTestOutcome> {
  const { handlers, account = 'test', log = silentLog } = test
  const byName = new Map(handlers.map((handler) => [handler.name, handler]))
  const index = createChainIndex()
  for (const chain of storedChains(test)) if (chain.enabled) index.upsert(chain)

  const outcome: ChainTestOutcome = {
    runs: [],
    unmatched: [],
    firedEvents: [],
    commands: [],
    deadLetters: [],
  }
  const events = [test.event ?? {}]
    .flat()
    .map((event) => anEvent({ account_key: account, ...event }))
  for (const [count, event] of events.entries()) {
    if (count >= MAX_EVENTS) {
      throw new InvalidInputError(`the chains fire more than ${MAX_EVENTS} events: they loop`)
    }
    await dispatch(event)
  }
  return outcome

  async function dispatch(event: VumiApiEvent): Promise<void> {
    const loop = loopError(event)
    if (loop) {
      outcome.deadLetters.push({ ...loop, event_id: event.event_id })
      return
    }
    const { matched, reason = 'no chain matched' } = index.match(event)
    if (matched.length === 0) outcome.unmatched.push({ event, reason })
    for (const chain of matched) await run(event, chain)
  }

  async function run(event: VumiApiEvent, chain: StoredChain): Promise<void> {
    const steps: TestedStep[] = []
    let move = startRun(event, chain)
    for (;;) {
      steps.push(...move.passed)
      if (move.kind === 'end') break
      const { handler, context } = move.invocation
      const result = await executeInvocation(byName.get(handler)!, move.invocation, {
        log,
        shutdown: new AbortController().signal,
        patienceMs: 0,
      })
      steps.push(...stepsOf(countedAnswer(context, result)))
      collectFired(result)
      move = advanceRun(context, result)
    }
    end(event, chain, steps, move)
  }

  function end(
    event: VumiApiEvent,
    { chain_id }: StoredChain,
    steps: TestedStep[],
    move: Extract<Move, { kind: 'end' }>,
  ): void {
    const { run_id } = move.context
    const tested = { run_id, chain_id, event, status: move.outcome, steps }
    if (move.outcome === 'succeeded') {
      outcome.runs.push(tested)
      return
    }
    const { error, step } = move
    outcome.runs.push({ ...tested, error })
    outcome.deadLetters.push({ ...error, event_id: event.event_id, chain_id, step_id: step.id })
  }

  function collectFired(result: StepResult): void {
    const fired = firedBy(result)
    events.push(...fired.events)
    outcome.firedEvents.push(...fired.events)
    outcome.commands.push(...fired.commands)
  }
}

function storedChains({ chain, handlers }: ChainTest): StoredChain[] {
  const now = new Date().toISOString()
  const catalog: CatalogEntry[] = handlers.map(({ description }) => ({
    ...description,
    workers: [],
    registered_at: now,
  }))
  return [chain].flat().map((input, index) => {
    const chain_id = input.chain_id ?? `chain-${index + 1}`
    const checked = parseInput(chainSchema, input, `chain "${chain_id}"`, 'SB_INVALID_CHAIN')
    const details = checkChain(checked, catalog)
    if (details.length === 0) return { ...checked, chain_id, version: 1, updated_at: now }
    throw new InvalidInputError(`chain "${chain_id}" is not valid: ${summarise(details)}`, {
      code: 'SB_INVALID_CHAIN',
      details,
    })
  })
}

/** None of an attempt that was put off. */
function stepsOf({ context, status, output, error }: StepResult): TestedStep[] {
  if (status === 'deferred') return []
  const step = context.chain.steps[context.step_index]!
  const tested: TestedStep = {
    step_id: step.id,
    handler: step.handler,
    status,
    ...(context.deferrals === undefined ? {} : { deferrals: context.deferrals }),
    ...(output === undefined ? {} : { output }),
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
  }
  return [tested]
}

/**
 * Whether a handler worker, in whatever language, keeps the wire contract: seen over AMQP, as the dispatcher sees it.
 *
 * Rules are checked one after the other, each with messages of its own. They leave behind what a worker rejects: use a vhost that
 * nobody else works in.
 */
import type { JsonObject } from '@signalbox/contracts'
import { startKeptProcess } from '@signalbox/private-brokers'
import { openBench } from './bench.ts'
import { type Check, type CheckContext, requireConsumer } from './check.ts'
import * as answering from './checks/answering.ts'
import * as results from './checks/results.ts'
import * as running from './checks/running.ts'
import * as surviving from './checks/surviving.ts'
import { NotChecked, type RuleResult, resultOf } from './rule.ts'
import { type RuleId, WORKER_RULES } from './rules.ts'
import { createWorkerConnections } from './worker-connection.ts'

const DEFAULT_TIMEOUT_MS = 10_000
const TERMINATION_MS = 5_000

export interface WorkerCommand {
  line: string
  /** All of its environment. */
  env: Readonly<Record<string, string>>
}

export interface WorkerConformanceOptions {
  amqpUrl: string
  handler: string
  /** A config that the handler succeeds with; default `{}`. */
  config?: JsonObject | undefined
  /** A config that it has to refuse; absent: that rule is skipped. */
  badConfig?: JsonObject | undefined
  /** Default `signalbox`. */
  namespace?: string | undefined
  /** With credentials that may see and close connections; absent: the rules that need it are skipped. */
  managementUrl?: string | undefined
  /** Starts the worker, and again when it ended by itself: one command, without operators of the shell. Absent: it runs already, and its end is not checked. */
  command?: WorkerCommand | undefined
  /** How long the worker may take to appear, and for each answer; default 10,000 ms. */
  timeoutMs?: number | undefined
}

const CHECKS: Readonly<Record<RuleId, Check>> = {
  'consumes-queue': answering.consumesQueue,
  'answers-single': answering.answersSingle,
  'answers-batch': answering.answersBatch,
  'echoes-identity': answering.echoesIdentity,
  'echoes-context': answering.echoesContext,
  'honours-reply-to': answering.honoursReplyTo,
  'reports-bad-config': answering.reportsBadConfig,
  'survives-not-json': surviving.survivesNotJson,
  'survives-wrong-shape': surviving.survivesWrongShape,
  'answers-redelivered': surviving.answersRedelivered,
  'confirms-before-ack': surviving.confirmsBeforeAck,
  'bounds-prefetch': running.boundsPrefetch,
  'survives-connection-loss': surviving.survivesConnectionLoss,
  'finishes-on-sigterm': running.finishesOnSigterm,
  'sends-results': results.sendsResults,
  'bounds-results': results.boundsResults,
  'sends-persistent': results.sendsPersistent,
}

/** Rules about what was seen by then; the worker has ended. */
const OF_ALL_ANSWERS: ReadonlySet<RuleId> = new Set([
  'sends-results',
  'bounds-results',
  'sends-persistent',
])

/**
 * Yields one result for each rule, in the order of `WORKER_RULES`. Throws `UnavailableError` when RabbitMQ cannot be reached. Whoever stops
 * early ends the worker that was started, too.
 */
export async function* workerConformance(
  options: WorkerConformanceOptions,
): AsyncGenerator<RuleResult<RuleId>, void, undefined> {
  const { amqpUrl, handler, config = {}, badConfig, namespace = 'signalbox' } = options
  const { managementUrl, timeoutMs = DEFAULT_TIMEOUT_MS } = options
  await using bench = await openBench({ amqpUrl, namespace, handler, config, timeoutMs })
  await using started = new AsyncDisposableStack()
  const context: CheckContext = {
    bench,
    badConfig,
    connections:
      managementUrl === undefined
        ? undefined
        : createWorkerConnections({ managementUrl, amqpUrl, queue: bench.queue }),
  }

  let isConsuming = true
  for (const [id, check] of Object.entries(CHECKS) as [RuleId, Check][]) {
    if (options.command && isConsuming && !OF_ALL_ANSWERS.has(id)) {
      await keepRunning(options.command, context, started)
    }
    const result = await resultOf(id, WORKER_RULES[id], () =>
      (isConsuming ? check : unchecked)(context),
    )
    if (id === 'consumes-queue') isConsuming = result.outcome === 'passed'
    yield result
  }
}

/** Starts it when it was not started or has ended, which was then held against it. */
async function keepRunning(
  { line, env }: WorkerCommand,
  context: CheckContext,
  stack: AsyncDisposableStack,
): Promise<void> {
  if (context.worker && context.worker.ending === undefined) return
  const isFirst = context.worker === undefined
  // What ended it must not end its successor.
  if (!isFirst) await context.bench.drain()
  const worker = startKeptProcess({ name: line, command: ['sh', '-c', `exec ${line}`], env })
  stack.defer(() => worker.terminate(TERMINATION_MS))
  context.worker = worker
  if (!isFirst) await requireConsumer(context).catch(() => undefined)
}

const unchecked: Check = async () => {
  throw new NotChecked('nothing consumes the queue')
}

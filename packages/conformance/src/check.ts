/** A check of one rule, and what it may use. */
import type { JsonObject } from '@signalbox/contracts'
import { type KeptProcess, waitFor } from '@signalbox/private-brokers'
import type { Bench } from './bench.ts'
import { Violation } from './rule.ts'
import type { WorkerConnections } from './worker-connection.ts'

/** A worker that was started just now takes longer to appear than to answer. */
const MIN_APPEARING_MS = 10_000

export interface CheckContext {
  bench: Bench
  /** A config that the handler has to refuse. */
  badConfig?: JsonObject | undefined
  connections?: WorkerConnections | undefined
  /** The worker, when it is started here. */
  worker?: KeptProcess | undefined
}

/** Throws `Violation` or `NotChecked`; whatever else it throws is no verdict on the worker. */
export type Check = (context: CheckContext) => Promise<void>

/** Proves that the worker goes on: something sent now is answered. */
export async function requireAnswer({ bench }: CheckContext): Promise<void> {
  const replies = await bench.replies()
  const proof = bench.invocation()
  await bench.send([proof], replies.name)
  await replies.resultsOf([proof.invocation_id], bench.options.timeoutMs)
}

/** Waits for the worker to appear, and says what is missing when it does not. */
export async function requireConsumer({ bench, worker }: CheckContext): Promise<void> {
  const timeoutMs = Math.max(bench.options.timeoutMs, worker ? MIN_APPEARING_MS : 0)
  let consumers: number | undefined
  const isDecided = async () => {
    consumers = (await bench.depth())?.consumers
    return consumers || worker?.ending
  }
  await waitFor(isDecided, { what: 'a consumer', timeoutMs }).catch(() => undefined)
  if (consumers) return
  const fault = consumers === undefined ? 'does not exist' : 'has no consumer'
  const end = worker?.ending && `; the worker ended with ${worker.ending}:\n${worker.output()}`
  throw new Violation(`the queue ${bench.queue} ${fault}${end ?? ` after ${timeoutMs} ms`}`)
}

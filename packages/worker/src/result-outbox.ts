/**
 * Results on their way to the dispatcher, in messages as full as the moment allows.
 *
 * Results for the same place gather while earlier messages are unconfirmed, and leave at the next turn of the event loop
 * otherwise: under load messages are full, idle nothing waits. What does not fit into one message is halved until it does; a
 * result that is too large alone becomes a failed one.
 */
import type { Publisher } from '@signalbox/broker'
import { LIMITS, type StepResult } from '@signalbox/contracts'
import { AppError } from '@signalbox/kit'
import { stepErrorOf } from './fault.ts'
import { unlessAborted } from './in-time.ts'
import { whileUnavailable } from './patience.ts'

const MAX_UNCONFIRMED_MESSAGES = 4

export interface ResultDestination {
  replyTo: string
  traceparent?: string | undefined
}

export interface ResultOutbox {
  /** Resolves after the broker's confirm. Rejects with `AppError` when the result cannot be sent. */
  send(result: StepResult, destination: ResultDestination): Promise<void>
}

export interface ResultOutboxDeps {
  publisher: Pick<Publisher, 'results'>
  /** Ends the waiting for a broker that is away. */
  shutdown: AbortSignal
  patienceMs: number
}

interface Waiting {
  result: StepResult
  resolve(): void
  reject(error: unknown): void
}

interface Lane {
  destination: ResultDestination
  waiting: Waiting[]
  unconfirmed: number
}

export function createResultOutbox({
  publisher,
  shutdown,
  patienceMs,
}: ResultOutboxDeps): ResultOutbox {
  const lanes = new Map<string, Lane>()

  return {
    send(result, destination) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const laneKey = `${destination.replyTo}\n${destination.traceparent ?? ''}`
      const lane = lanes.get(laneKey) ?? { destination, waiting: [], unconfirmed: 0 }
      lanes.set(laneKey, lane)
      lane.waiting.push({ result, resolve, reject })
      if (lane.waiting.length === 1) setImmediate(flush, laneKey, lane)
      return promise
    },
  }

  function flush(laneKey: string, lane: Lane): void {
    while (lane.unconfirmed < MAX_UNCONFIRMED_MESSAGES && lane.waiting.length > 0) {
      lane.unconfirmed += 1
      void publish(lane.destination, lane.waiting.splice(0, LIMITS.maxBatchItems)).then(() => {
        lane.unconfirmed -= 1
        flush(laneKey, lane)
      })
    }
    if (lane.unconfirmed === 0) lanes.delete(laneKey)
  }

  /** Settles every one of the batch; never rejects. */
  async function publish(destination: ResultDestination, batch: Waiting[]): Promise<void> {
    try {
      await publishResults(
        destination,
        batch.map(({ result }) => result),
      )
      for (const { resolve } of batch) resolve()
    } catch (error) {
      if (!isTooLarge(error)) {
        for (const { reject } of batch) reject(error)
      } else if (batch.length > 1) {
        const middle = batch.length >> 1
        await publish(destination, batch.slice(0, middle))
        await publish(destination, batch.slice(middle))
      } else {
        await publishTooLarge(destination, batch[0]!, error)
      }
    }
  }

  async function publishTooLarge(
    destination: ResultDestination,
    { result, resolve, reject }: Waiting,
    error: AppError,
  ): Promise<void> {
    const { invocation_id, attempt, duration_ms, context } = result
    const failure = stepErrorOf(error)
    await publishResults(destination, [
      { invocation_id, attempt, status: 'failed', error: failure, duration_ms, context },
    ]).then(resolve, reject)
  }

  async function publishResults(
    { replyTo, traceparent }: ResultDestination,
    results: readonly StepResult[],
  ): Promise<void> {
    const batch = results as readonly [StepResult, ...StepResult[]]
    const outcome = await whileUnavailable(
      () => unlessAborted(publisher.results(replyTo, batch, { traceparent }), shutdown),
      { patienceMs, signal: shutdown },
    )
    if (outcome === 'routed') return
    throw new AppError(
      'SB_INVALID_MESSAGE',
      `there is no queue "${replyTo}" to take the result (reply_to)`,
      { retryable: false },
    )
  }
}

function isTooLarge(error: unknown): error is AppError {
  return error instanceof AppError && error.code === 'SB_TOO_LARGE'
}

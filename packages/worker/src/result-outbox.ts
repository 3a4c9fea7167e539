/** Results on their way to whoever asked for them, a lane per place. A result that is too large becomes a failed one. */
import { createOutbox, type Publisher } from '@signalbox/broker'
import type { StepResult } from '@signalbox/contracts'
import { AppError } from '@signalbox/kit'
import { stepErrorOf } from './fault.ts'
import { unlessAborted } from './in-time.ts'
import { whileUnavailable } from './patience.ts'

export interface ResultOutbox {
  /** Resolves after the broker's confirm. Rejects with `AppError` when the result cannot be sent. */
  send(result: StepResult, replyTo: string): Promise<void>
}

export interface ResultOutboxDeps {
  publisher: Pick<Publisher, 'results'>
  /** Ends the waiting for a broker that is away. */
  shutdown: AbortSignal
  patienceMs: number
}

export function createResultOutbox(deps: ResultOutboxDeps): ResultOutbox {
  const { publisher, shutdown, patienceMs } = deps
  const outbox = createOutbox<StepResult>(
    {},
    {
      publish: (replyTo, { items, json }) =>
        whileUnavailable(
          () => unlessAborted(publisher.results(replyTo, items, { json }), shutdown),
          { patienceMs, signal: shutdown },
        ),
    },
  )

  return {
    async send(result, replyTo) {
      const outcome = await outbox.send(replyTo, result).catch((error: unknown) => {
        if (!isTooLarge(error)) throw error
        return outbox.send(replyTo, failed(result, error))
      })
      if (outcome === 'routed') return
      throw new AppError(
        'SB_INVALID_MESSAGE',
        `there is no queue "${replyTo}" to take the result (reply_to)`,
        { retryable: false },
      )
    },
  }
}

function isTooLarge(error: unknown): error is AppError {
  return error instanceof AppError && error.code === 'SB_TOO_LARGE'
}

function failed(result: StepResult, error: AppError): StepResult {
  const { invocation_id, attempt, duration_ms, context } = result
  return {
    invocation_id,
    attempt,
    status: 'failed',
    error: stepErrorOf(error),
    duration_ms,
    context,
  }
}

/**
 * Where an error settles a delivery: the one place that decides between giving it back and a dead letter.
 *
 * | error                                        | settlement                          |
 * | -------------------------------------------- | ----------------------------------- |
 * | `AppError` or `HandlerError` that may pass   | `requeue`                           |
 * | any other                                    | `dead_letter`, with what is known   |
 */
import type { DeadLetterReason, Settlement } from '@signalbox/broker'
import { AppError } from '@signalbox/kit'
import { HandlerError, stepErrorOf } from './fault.ts'

export function settlementOf(
  error: unknown,
  known: Omit<DeadLetterReason, 'code' | 'message'>,
): Settlement {
  const { code, message, retryable } = stepErrorOf(error)
  const isKnown = error instanceof AppError || error instanceof HandlerError
  if (isKnown && retryable) return { kind: 'requeue' }
  return { kind: 'dead_letter', reason: { ...known, code, message } }
}

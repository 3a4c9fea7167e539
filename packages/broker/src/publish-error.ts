/** Why a publish failed when it was not simply that the broker is away. Either is retryable, as every `UnavailableError`. */
import { UnavailableError } from '@signalbox/kit'
import type { PublishOutcome } from './port.ts'

/** The broker said again and again that it does not take the message: its queue is full, or in trouble. The message is nowhere. */
export class RefusedError extends UnavailableError {
  constructor(message: string) {
    super(message, { code: 'SB_BROKER_UNAVAILABLE' })
  }
}

/** The broker has the message and has not answered in time; it may answer yet. */
export class UnconfirmedError extends UnavailableError {
  /** The answer when it comes; rejects when the message was refused, or the AMQP channel is lost. Need not be looked at. */
  readonly answer: Promise<PublishOutcome>

  constructor(message: string, answer: Promise<PublishOutcome>) {
    super(message, { code: 'SB_BROKER_UNAVAILABLE' })
    this.answer = answer
    answer.catch(() => undefined)
  }
}

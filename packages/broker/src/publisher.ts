/** Typed publishing: which exchange, routing key and properties each kind of message has. */
import {
  type DeadLetter,
  eventRoutingKey,
  type HandlerInvocation,
  LIMITS,
  type StepResult,
  type VumiApiCommand,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { InvalidInputError, UnavailableError } from '@signalbox/kit'
import type { Broker, PublishOptions, PublishOutcome } from './port.ts'
import { relaySlotOf } from './relay-slot.ts'

export interface TraceOptions {
  traceparent?: string | undefined
}

export interface BatchOptions {
  /** The batch as JSON, of whoever has encoded it already. */
  json?: string
}

export type Publisher = ReturnType<typeof createPublisher>

/**
 * Every method resolves after the broker's confirm, and rejects with `InvalidInputError` when the body is too large. An event or
 * a dead letter that no queue took is lost, whatever was confirmed: that rejects with `UnavailableError`. `publishing` holds for every one.
 */
export function createPublisher(
  broker: Pick<Broker, 'publish' | 'topology'>,
  publishing: PublishOptions = {},
) {
  const { exchange, queue } = broker.topology

  const publish = async (
    to: { exchange: string; routingKey: string },
    type: string,
    messageId: string,
    json: string,
    options: TraceOptions & {
      replyTo?: string
      maxBytes?: number
      timestampMs?: number
      slot?: number
      lane?: string
    } = {},
  ): Promise<PublishOutcome> => {
    const body = Buffer.from(json)
    const maxBytes = options.maxBytes ?? LIMITS.maxMessageBytes
    if (body.length > maxBytes) {
      throw new InvalidInputError(
        `a ${type} of ${body.length} bytes is too large; at most ${maxBytes} may be sent`,
        {
          code: 'SB_TOO_LARGE',
        },
      )
    }
    const message = {
      ...to,
      body,
      properties: {
        messageId,
        type,
        ...(options.timestampMs === undefined ? {} : { timestampMs: options.timestampMs }),
        ...(options.replyTo === undefined ? {} : { replyTo: options.replyTo }),
        ...(options.traceparent === undefined ? {} : { traceparent: options.traceparent }),
        ...(options.slot === undefined ? {} : { slot: options.slot }),
      },
    }
    const { lane } = options
    return broker.publish(message, lane === undefined ? publishing : { ...publishing, lane })
  }

  const publishKept = async (...message: Parameters<typeof publish>): Promise<void> => {
    const outcome = await publish(...message)
    if (outcome === 'routed') return
    const [to, type] = message
    throw new UnavailableError(`no queue takes the ${type} that was sent to ${to.exchange}`, {
      code: 'SB_BROKER_UNAVAILABLE',
    })
  }

  return {
    async event(event: VumiApiEvent, options: TraceOptions = {}): Promise<void> {
      await publishKept(
        { exchange: exchange.events, routingKey: eventRoutingKey(event) },
        'VumiApiEvent',
        event.event_id,
        JSON.stringify(event),
        {
          ...options,
          timestampMs: Date.parse(event.timestamp),
          slot: relaySlotOf(event),
        },
      )
    },
    /** `unroutable`: there is no worker of that name. */
    async command(command: VumiApiCommand, options: TraceOptions = {}): Promise<PublishOutcome> {
      return publish(
        { exchange: exchange.commands, routingKey: command.worker_name },
        'VumiApiCommand',
        command.command_id,
        JSON.stringify(command),
        options,
      )
    },
    /** All of one handler. `unroutable`: no worker has ever offered that handler. A message of one has its trace in its headers too. */
    async invocations(
      batch: readonly [HandlerInvocation, ...HandlerInvocation[]],
      { json = JSON.stringify(batch) }: BatchOptions = {},
    ): Promise<PublishOutcome> {
      const [first] = batch
      return publish(
        { exchange: exchange.handlers, routingKey: first.handler },
        'HandlerInvocation',
        first.invocation_id,
        json,
        {
          lane: first.handler,
          traceparent: batch.length === 1 ? first.context.traceparent : undefined,
          replyTo: queue.dispatcherResults,
          maxBytes: LIMITS.maxBatchBytes,
        },
      )
    },
    /** As `invocations`, to where they wait for the handler's queue. Its `parkingQueue` must have been declared. */
    async parked(
      batch: readonly [HandlerInvocation, ...HandlerInvocation[]],
      { json = JSON.stringify(batch) }: BatchOptions = {},
    ): Promise<void> {
      const [{ handler, invocation_id, context }] = batch
      const { name } = broker.topology.parkingQueue(handler)
      await publishKept(
        { exchange: name, routingKey: handler },
        'HandlerInvocation',
        invocation_id,
        json,
        {
          lane: name,
          traceparent: batch.length === 1 ? context.traceparent : undefined,
          replyTo: queue.dispatcherResults,
          maxBytes: LIMITS.maxBatchBytes,
        },
      )
    },
    /** Sends one invocation to its handler after `delayMs`, one of `RETRY_DELAYS_MS`. Its `retryQueue` must have been declared. */
    async retry(invocation: HandlerInvocation, delayMs: number): Promise<void> {
      const { name } = broker.topology.retryQueue(delayMs)
      await publishKept(
        { exchange: name, routingKey: invocation.handler },
        'HandlerInvocation',
        invocation.invocation_id,
        JSON.stringify([invocation]),
        {
          traceparent: invocation.context.traceparent,
          replyTo: queue.dispatcherResults,
          maxBytes: LIMITS.maxBatchBytes,
        },
      )
    },
    async results(
      replyTo: string,
      batch: readonly [StepResult, ...StepResult[]],
      { json = JSON.stringify(batch) }: BatchOptions = {},
    ): Promise<PublishOutcome> {
      return publish(
        { exchange: '', routingKey: replyTo },
        'StepResult',
        batch[0].invocation_id,
        json,
        { maxBytes: LIMITS.maxBatchBytes },
      )
    },
    async deadLetter(letter: DeadLetter): Promise<void> {
      await publishKept(
        { exchange: exchange.dead, routingKey: letter.routing_key },
        'DeadLetter',
        letter.dead_letter_id,
        JSON.stringify(letter),
        {
          maxBytes: 2 * LIMITS.maxBatchBytes,
        },
      )
    },
  }
}

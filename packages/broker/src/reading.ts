/**
 * Reading what arrives: from bytes to what they should be. Everything here throws `InvalidInputError` that says what is wrong:
 * `SB_TOO_LARGE`, or `SB_INVALID_MESSAGE` for what is not JSON or not of its schema.
 */
import {
  commandInputSchema,
  completeCommand,
  completeEvent,
  derivedUuid,
  eventInputSchema,
  isPlainEventInput,
  LIMITS,
  VUMI_GO,
  type VumiApiCommand,
  type VumiApiEvent,
  vumiGoEventSchema,
} from '@signalbox/contracts'
import { InvalidInputError, parseInput } from '@signalbox/kit'
import type { z } from 'zod'
import type { Delivery } from './port.ts'

/** Throws on bytes that are not UTF-8. */
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The JSON of a body. `what` names the message in errors: `an event`. */
export function readJson(
  body: Buffer,
  what: string,
  maxBytes: number = LIMITS.maxMessageBytes,
): unknown {
  if (body.length > maxBytes) {
    throw new InvalidInputError(
      `${what} has ${body.length} bytes; at most ${maxBytes} are allowed`,
      { code: 'SB_TOO_LARGE' },
    )
  }
  try {
    return JSON.parse(utf8.decode(body))
  } catch (cause) {
    throw invalid(`${what} is not JSON: ${(cause as Error).message}`, cause)
  }
}

/** `value` as the schema has it. */
export function readAs<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: string,
): z.output<Schema> {
  try {
    return parseInput(schema, value, what, 'SB_INVALID_MESSAGE')
  } catch (cause) {
    // n.b. JSON that is nested deeply enough overflows the stack of whatever walks it.
    if (cause instanceof RangeError) throw invalid(`${what} is nested too deeply`, cause)
    throw cause
  }
}

/**
 * The event that `json` is, complete. A plain client may have left out `event_id`; it is then the message's id, or derived from
 * the bytes: a redelivery is the same event, for whoever reads it.
 */
export function readEvent(json: unknown, { body, exchange, properties }: Delivery): VumiApiEvent {
  const isForeign = exchange === VUMI_GO.exchange
  const schema = isForeign ? vumiGoEventSchema : eventInputSchema
  const event = !isForeign && isPlainEventInput(json) ? json : readAs(schema, json, 'the event')
  if (event.event_id !== undefined && event.timestamp !== undefined) return event as VumiApiEvent
  const eventId = event.event_id ?? properties.messageId ?? derivedUuid('event', textOf(body))
  return completeEvent({ ...event, event_id: eventId })
}

/** The command that `json` is, complete; its id as with events. */
export function readCommand(json: unknown, { body, properties }: Delivery): VumiApiCommand {
  const command = readAs(commandInputSchema, json, 'the command')
  const commandId =
    command.command_id ?? properties.messageId ?? derivedUuid('command', textOf(body))
  return completeCommand({ ...command, command_id: commandId })
}

function invalid(message: string, cause: unknown): InvalidInputError {
  return new InvalidInputError(message, { code: 'SB_INVALID_MESSAGE', cause })
}

function textOf(body: Buffer): string {
  return body.toString('base64')
}

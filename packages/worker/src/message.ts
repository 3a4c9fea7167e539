/** Reading a message body: JSON, and of the shape that its queue is for. */
import { InvalidInputError, parseInput } from '@signalbox/kit'
import type { z } from 'zod'

/** Throws `InvalidInputError` (`SB_INVALID_MESSAGE`) that says what is wrong; `what` names the message: `a command`. */
export function parseBody(body: Buffer, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (cause) {
    throw invalid(`${what} is not JSON in UTF-8`, cause)
  }
}

export function parseMessage<Schema extends z.ZodType>(
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

function invalid(message: string, cause: unknown): InvalidInputError {
  return new InvalidInputError(message, { code: 'SB_INVALID_MESSAGE', cause })
}

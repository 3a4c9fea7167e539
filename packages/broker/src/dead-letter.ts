/** Making a dead letter of a message that could not be completed. */
import { type DeadLetter, derivedUuid, jsonSchema } from '@signalbox/contracts'
import type { DeadLetterReason } from './port.ts'

/** The identity is derived from the message and the code: the same failure of a redelivered message is the same dead letter. */
export function deadLetterOf(
  message: { exchange: string; routingKey: string; body: Buffer },
  reason: DeadLetterReason,
  nowMs: number = Date.now(),
): DeadLetter {
  return {
    ...reason,
    dead_letter_id: derivedUuid(
      'dead_letter',
      reason.code,
      reason.run_id ?? '',
      reason.step_id ?? '',
      message.body.toString('base64'),
    ),
    at: new Date(nowMs).toISOString(),
    exchange: message.exchange,
    routing_key: message.routingKey,
    body: readable(message.body),
  }
}

function readable(body: Buffer): DeadLetter['body'] {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    // n.b. What is nested too deeply could not be written as part of a letter.
    const json = jsonSchema.safeParse(value)
    if (json.success) return { json: json.data }
  } catch {
    // Not JSON.
  }
  return { base64: body.toString('base64') }
}

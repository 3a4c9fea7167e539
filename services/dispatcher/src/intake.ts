/** Reading what arrives: from a delivery's bytes to an event, or to the reason why it is none. Pure. */
import type { DeadLetterReason, Delivery } from '@signalbox/broker'
import {
  completeEvent,
  derivedUuid,
  eventInputSchema,
  type JsonObject,
  LIMITS,
  VUMI_GO,
  type VumiApiEvent,
  vumiGoEventSchema,
} from '@signalbox/contracts'
import { fieldErrorsOf, summarise } from '@signalbox/kit'

export type Intake<Value> = { ok: true; value: Value } | { ok: false; reason: DeadLetterReason }

/** The JSON value of a body, or why it has none. */
export function readJson(
  body: Buffer,
  about: DeadLetterReason['about'],
  maxBytes: number,
): Intake<unknown> {
  if (body.length > maxBytes) {
    return refused(
      about,
      'SB_TOO_LARGE',
      `the message has ${body.length} bytes; at most ${maxBytes} are allowed`,
    )
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
    return { ok: true, value: JSON.parse(text) as unknown }
  } catch (error) {
    return refused(
      about,
      'SB_INVALID_MESSAGE',
      `the message is not JSON: ${(error as Error).message}`,
    )
  }
}

/**
 * The event of a delivery. `event_id` and `timestamp` are filled in when a plain client left them out, `event_id` derived
 * from the message, so that a redelivery of the same bytes is the same event.
 */
export function readEvent(delivery: Delivery): Intake<VumiApiEvent> {
  const json = readJson(delivery.body, 'event', LIMITS.maxMessageBytes)
  if (!json.ok) return json
  const schema = delivery.exchange === VUMI_GO.exchange ? vumiGoEventSchema : eventInputSchema
  const parsed = schema.safeParse(json.value)
  if (!parsed.success) {
    return refused(
      'event',
      'SB_INVALID_MESSAGE',
      `the event is not valid: ${summarise(fieldErrorsOf(parsed.error))}`,
      json.value,
    )
  }
  const eventId =
    parsed.data.event_id ??
    delivery.properties.messageId ??
    derivedUuid('event', delivery.body.toString('base64'))
  return { ok: true, value: completeEvent({ ...parsed.data, event_id: eventId }) }
}

function refused(
  about: DeadLetterReason['about'],
  code: string,
  message: string,
  value?: unknown,
): Intake<never> {
  const known = value as Partial<JsonObject> | null | undefined
  const text = (field: string) =>
    typeof known?.[field] === 'string' ? { [field]: known[field] } : {}
  return {
    ok: false,
    reason: { code, message, about, ...text('account_key'), ...text('event_id') },
  }
}

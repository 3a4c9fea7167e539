/** What the relay reads in a delivery: a state change for a channel, something that is none, or a fault. Pure. */
import type { Delivery } from '@signalbox/broker'
import {
  completeEvent,
  derivedUuid,
  eventInputSchema,
  STATE_CHANGE_EVENTS,
  VUMI_GO,
  vumiGoEventSchema,
} from '@signalbox/contracts'
import { fieldErrorsOf, summarise } from '@signalbox/kit'
import type { ChannelEntry } from '@signalbox/store'
import { encodePayload } from './state-change.ts'

/**
 * | kind      | what it is                                                                          |
 * | --------- | ----------------------------------------------------------------------------------- |
 * | `append`  | a state change of a person                                                          |
 * | `ignored` | an event of another kind, or of nobody                                              |
 * | `invalid` | not an event                                                                        |
 * | `misfit`  | an event whose type announces a state change that its `event_data` does not contain |
 */
export type Reading =
  | { kind: 'append'; entry: ChannelEntry }
  | { kind: 'ignored' }
  | { kind: 'invalid'; reason: string }
  | { kind: 'misfit'; accountKey: string; eventId: string; reason: string }

export function readDelivery(delivery: Delivery): Reading {
  const json = parseBody(delivery.body)
  if (json === undefined) return { kind: 'invalid', reason: 'the message is not JSON' }
  if (!hasStateChangeType(json)) return { kind: 'ignored' }

  const schema = delivery.exchange === VUMI_GO.exchange ? vumiGoEventSchema : eventInputSchema
  const parsed = schema.safeParse(json)
  if (!parsed.success) {
    return { kind: 'invalid', reason: summarise(fieldErrorsOf(parsed.error)) }
  }
  const event = completeEvent({ ...parsed.data, event_id: eventIdOf(parsed.data, delivery) })
  if (event.person_key === undefined) return { kind: 'ignored' }

  const { entity, schema: dataSchema } = STATE_CHANGE_EVENTS[json.event_type]
  const change = dataSchema.safeParse(event.event_data)
  if (!change.success) {
    const reason = summarise(fieldErrorsOf(change.error))
    return { kind: 'misfit', accountKey: event.account_key, eventId: event.event_id, reason }
  }
  return {
    kind: 'append',
    entry: {
      channel: { accountKey: event.account_key, personKey: event.person_key },
      id: event.event_id,
      payload: encodePayload(entity, change.data, event.timestamp),
    },
  }
}

/** The same for every redelivery, also when a plain client set none: appending an id again changes nothing. */
function eventIdOf(event: { event_id?: string | undefined }, delivery: Delivery): string {
  return (
    event.event_id ??
    delivery.properties.messageId ??
    derivedUuid('event', delivery.body.toString('base64'))
  )
}

function parseBody(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    return undefined
  }
}

/** Asked before the schema is: most events are of other kinds, and the dispatcher says what is wrong with those. */
function hasStateChangeType(
  json: unknown,
): json is { event_type: keyof typeof STATE_CHANGE_EVENTS } {
  return (
    typeof json === 'object' &&
    json !== null &&
    'event_type' in json &&
    typeof json.event_type === 'string' &&
    Object.hasOwn(STATE_CHANGE_EVENTS, json.event_type)
  )
}

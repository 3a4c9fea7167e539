/** What the relay reads in a delivery: a state change for a channel, something that is none, or a fault. Pure. */
import { type Delivery, readEvent, readJson } from '@signalbox/broker'
import { STATE_CHANGE_EVENTS, type VumiApiEvent } from '@signalbox/contracts'
import { AppError, fieldErrorsOf, summarise } from '@signalbox/kit'
import type { ChannelEntry } from '@signalbox/store'
import { currentState, encodePayload } from './state-change.ts'

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
  let event: VumiApiEvent
  try {
    const json = readJson(delivery.body, 'the event')
    if (!hasStateChangeType(json)) return { kind: 'ignored' }
    event = readEvent(json, delivery)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return { kind: 'invalid', reason: error.message }
  }
  if (event.person_key === undefined) return { kind: 'ignored' }

  const { entity, schema: dataSchema } =
    STATE_CHANGE_EVENTS[event.event_type as keyof typeof STATE_CHANGE_EVENTS]
  const change = dataSchema.safeParse(event.event_data)
  if (!change.success) {
    const reason = summarise(fieldErrorsOf(change.error))
    return { kind: 'misfit', accountKey: event.account_key, eventId: event.event_id, reason }
  }
  return {
    kind: 'append',
    entry: {
      channel: { accountKey: event.account_key, kind: 'person', personKey: event.person_key },
      id: event.event_id,
      payload: encodePayload(entity, change.data, event.timestamp),
      state: currentState(entity, change.data),
    },
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

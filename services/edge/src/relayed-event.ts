/** What the relay reads in a delivery: an event, what of it is for which channel, or a fault. Pure. */
import { type Delivery, readEvent, readJson } from '@signalbox/broker'
import { STATE_CHANGE_EVENTS, type VumiApiEvent } from '@signalbox/contracts'
import { AppError, fieldErrorsOf, summarise } from '@signalbox/kit'
import type { ChannelEntry } from '@signalbox/store'
import { currentState, encodePayload } from './state-change.ts'

export interface RelayedEvent {
  accountKey: string
  eventId: string
  /** For the person's channel; absent: it is no state change, or one of nobody. */
  change?: ChannelEntry
  /** Why an event whose type announces a state change is none. */
  misfit?: string
  /** For the account's channel: the event as it came, completed. Encoded only when it is asked for. */
  whole(): ChannelEntry
}

export type Reading = { event: RelayedEvent } | { invalid: string }

export function readDelivery(delivery: Delivery): Reading {
  let event: VumiApiEvent
  try {
    event = readEvent(readJson(delivery.body, 'the event'), delivery)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return { invalid: error.message }
  }
  const { account_key: accountKey, event_id: eventId } = event
  return {
    event: {
      accountKey,
      eventId,
      ...changeIn(event),
      whole: () => ({
        channel: { accountKey, kind: 'account' },
        id: eventId,
        payload: JSON.stringify(event),
      }),
    },
  }
}

function changeIn(event: VumiApiEvent): Pick<RelayedEvent, 'change' | 'misfit'> {
  const { account_key: accountKey, event_id: id, person_key: personKey, event_type: type } = event
  if (personKey === undefined || !isStateChangeType(type)) return {}
  const { entity, schema } = STATE_CHANGE_EVENTS[type]
  const change = schema.safeParse(event.event_data)
  if (!change.success) return { misfit: summarise(fieldErrorsOf(change.error)) }
  return {
    change: {
      channel: { accountKey, kind: 'person', personKey },
      id,
      payload: encodePayload(entity, change.data, event.timestamp),
      state: currentState(entity, change.data),
    },
  }
}

function isStateChangeType(type: string): type is keyof typeof STATE_CHANGE_EVENTS {
  return Object.hasOwn(STATE_CHANGE_EVENTS, type)
}

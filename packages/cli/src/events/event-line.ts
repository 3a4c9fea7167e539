/** An event on one line, for people. */
import type { VumiApiEvent } from '@signalbox/client'
import { shortened } from '../printable.ts'

const MAX_DATA_CHARS = 160

export function eventLine(event: VumiApiEvent, { isWhole = false } = {}): string {
  const { timestamp, conversation_type, event_type, conversation_key, person_key } = event
  const data = JSON.stringify(event.event_data)
  return [
    timestamp,
    `${conversation_type}.${event_type}`,
    conversation_key,
    ...(person_key === undefined ? [] : [person_key]),
    isWhole ? data : shortened(data, MAX_DATA_CHARS),
  ].join('  ')
}

export const GAP_NOTES = {
  history: 'events are missing here: the edge no longer has those of the time without a connection',
  slow: 'events are missing here: they came faster than they were taken',
} as const

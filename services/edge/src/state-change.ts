/**
 * A state change on its way: from an event's data to the payload in the person's channel, and from there to the frame.
 *
 * The payload is JSON: `{"event":"state_change","timestamp":…,"data":{…}}`, its `data` in the key order of the frame. A
 * payload of another `event` is for other subscriptions and passes by.
 */
import {
  currentStateSchema,
  type Entity,
  type StateChange,
  stateChangeFrameSchema,
} from '@signalbox/contracts'
import { z } from 'zod'

/** What all subscribers of a change share. */
export interface DecodedChange {
  entity: Entity
  /** When the source says it happened; Unix milliseconds. */
  timestampMs: number
  /** `data` of the frame, as JSON. */
  dataJson: string
}

const payloadSchema = z.looseObject({
  event: z.literal('state_change'),
  timestamp: z.string(),
  data: stateChangeFrameSchema.shape.data,
})

export function encodePayload(entity: Entity, change: StateChange, timestamp: string): string {
  const { id, identifier, state, previous_state } = change
  const data = { entity, id, identifier, state, previous_state }
  return JSON.stringify({ event: 'state_change', timestamp, data })
}

/** What the channel keeps as current: for snapshots, in the key order that they show. */
export function currentState(
  entity: Entity,
  { id, identifier, state }: StateChange,
): { key: string; value: string } {
  return { key: `${entity}:${id}`, value: JSON.stringify({ entity, id, identifier, state }) }
}

/** Undefined: not a state change that this version understands. */
export function decodePayload(payload: string): DecodedChange | undefined {
  const parsed = payloadSchema.safeParse(parseJson(payload))
  if (!parsed.success) return undefined
  const { timestamp, data } = parsed.data
  return {
    entity: data.entity,
    timestampMs: Date.parse(timestamp),
    dataJson: JSON.stringify(data),
  }
}

/** The states of a snapshot as a JSON array; what this version does not understand is left out. */
export function snapshotJson(states: readonly string[]): string {
  const known = states.flatMap((value) => {
    const parsed = currentStateSchema.safeParse(parseJson(value))
    if (!parsed.success) return []
    const { entity, id, identifier, state } = parsed.data
    return [JSON.stringify({ entity, id, identifier, state })]
  })
  return `[${known.join(',')}]`
}

/** Undefined: it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * A state change on its way: from an event's data to the payload in the person's channel, and from there to the frame.
 *
 * The payload is JSON: `{"event":"state_change","timestamp":…,"data":{…}}`, its `data` in the key order of the frame. A
 * payload of another `event` is for other subscriptions and passes by.
 */
import { type Entity, type StateChange, stateChangeFrameSchema } from '@signalbox/contracts'
import { z } from 'zod'
import { FrameBody } from './frame.ts'

/** As it is delivered: the part of the frame that all subscribers share is encoded once. */
export interface DeliverableChange {
  entity: Entity
  body: FrameBody
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
export function decodePayload(payload: string): DeliverableChange | undefined {
  const parsed = payloadSchema.safeParse(parseJson(payload))
  if (!parsed.success) return undefined
  const { timestamp, data } = parsed.data
  const text = `${JSON.stringify(data)}}`
  // When the source says that it happened.
  const body = new FrameBody('state_change', text, Date.parse(timestamp))
  return { entity: data.entity, body }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Holds the types of the wire to the contracts; `tsc` is what fails. */
import {
  type CurrentState,
  type Entity,
  type EventFrame,
  type EventInput,
  eventSchema,
  type GapFrame,
  SOCKET_SUBPROTOCOL,
  type SocketAnswer,
  type StateChangeFrame,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { expect, expectTypeOf, test } from 'vitest'
import * as wire from '../src/wire.ts'

test('the types that the client exports are those of the contracts', () => {
  expect(wire.SUBPROTOCOL).toBe(SOCKET_SUBPROTOCOL)
  expectTypeOf<wire.Entity>().toEqualTypeOf<Entity>()
  expectTypeOf<wire.StateChange>().toEqualTypeOf<StateChangeFrame['data']>()
  expectTypeOf<VumiApiEvent>().toExtend<wire.VumiApiEvent>()
  expectTypeOf<wire.VumiApiEvent>().toExtend<VumiApiEvent>()
  expectTypeOf<wire.CurrentState>().toEqualTypeOf<CurrentState>()
  expectTypeOf<StateChangeFrame | EventFrame | GapFrame>().toExtend<wire.SocketFrame>()
  expectTypeOf<SocketAnswer>().toExtend<wire.SocketAnswer>()
})

test('an event as the client shows it is one that can be published', () => {
  const event: wire.VumiApiEvent = {
    event_id: 'e1',
    account_key: 'demo',
    conversation_key: 'c1',
    conversation_type: 'poll',
    event_type: 'poll_complete',
    event_data: { score: 7 },
    timestamp: '2026-01-01T00:00:00.000Z',
  }
  expect(eventSchema.parse(event)).toEqual(event)
  expectTypeOf(event).toExtend<EventInput>()
})

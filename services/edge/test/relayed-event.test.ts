import type { Delivery } from '@signalbox/broker'
import { FLOW_STATES, STEP_STATES } from '@signalbox/contracts'
import { describe, expect, it } from 'vitest'
import { readDelivery } from '../src/relayed-event.ts'
import { decodePayload } from '../src/state-change.ts'
import { stateChange } from './edge-bed.ts'

function delivered(body: unknown, rest: Partial<Delivery> = {}): Delivery {
  return {
    body: Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)),
    exchange: 'signalbox.events',
    routingKey: 'any',
    redelivered: false,
    deliveryCount: 0,
    isVoid: false,
    properties: {},
    ...rest,
  }
}

const change = { ...stateChange('p1', 'flow', 'f1'), event_id: 'e1' }

function eventIn(delivery: Delivery) {
  const reading = readDelivery(delivery)
  if ('invalid' in reading) throw new Error(reading.invalid)
  return reading.event
}

/** What of it is for whom. */
function kindOf(delivery: Delivery): string {
  const reading = readDelivery(delivery)
  if ('invalid' in reading) return 'invalid'
  if (reading.event.misfit !== undefined) return 'misfit'
  return reading.event.change ? 'change' : 'whole'
}

describe('what the relay reads in a delivery', () => {
  it('a state change, addressed to the person, whose data is byte for byte that of the frame', () => {
    const reading = eventIn(
      delivered({ ...change, event_data: { ...change.event_data, extra: 'not shown' } }),
    )
    expect(reading.change).toMatchObject({
      id: 'e1',
      channel: { accountKey: 'demo', kind: 'person', personKey: 'p1' },
      state: {
        key: 'flow:f1',
        value: '{"entity":"flow","id":"f1","identifier":"flow-1","state":"completed"}',
      },
    })
    expect(decodePayload(reading.change!.payload)?.dataJson).toBe(
      '{"entity":"flow","id":"f1","identifier":"flow-1","state":"completed","previous_state":"active"}',
    )
  })

  it.each([
    ...FLOW_STATES.map((state) => ['flow', state]),
    ...STEP_STATES.map((state) => ['step', state]),
  ] as const)('every state: %s %s, and null for what was before it', (entity, state) => {
    const event_data = { id: 'x', identifier: '', state, previous_state: null }
    const event_type = `${entity}_state_change`
    expect(eventIn(delivered({ ...change, event_type, event_data })).change).toBeDefined()
  })

  it("Vumi Go's own shape, when it comes from Vumi's exchange", () => {
    const { event_data: content, conversation_type: _, ...rest } = change
    const timestamp = '2026-01-31 09:30:00.123456'
    const fromVumi = delivered({ ...rest, content, timestamp }, { exchange: 'vumi' })
    expect(eventIn(fromVumi)).toMatchObject({ change: { id: 'e1' } })
  })

  it('the same identity at every redelivery of an event that was sent without one', () => {
    const { event_id: _, ...anonymous } = change
    const ids = [1, 2].map(() => eventIn(delivered(anonymous)).change?.id)
    expect(ids[0]).toEqual(expect.any(String))
    expect(ids[1]).toBe(ids[0])
    expect(eventIn(delivered(anonymous, { properties: { messageId: 'm1' } }))).toMatchObject({
      change: { id: 'm1' },
    })
  })

  it('the whole event, complete and with the fields that nobody here knows, for the account', () => {
    const { event_id: _, ...anonymous } = { ...change, event_type: 'poll_complete', added: [1] }
    const event = eventIn(delivered(anonymous, { properties: { messageId: 'm1' } }))
    const { channel, id, payload } = event.whole()
    expect({ channel, id }).toEqual({ channel: { accountKey: 'demo', kind: 'account' }, id: 'm1' })
    expect(JSON.parse(payload)).toEqual({
      ...anonymous,
      event_id: 'm1',
      timestamp: expect.stringMatching(/Z$/) as string,
    })
  })

  it.each([
    ['another kind of event', { ...change, event_type: 'poll_complete' }, 'whole'],
    ["a type of an object's own making", { ...change, event_type: 'toString' }, 'whole'],
    ['something that is no object', 42, 'invalid'],
    ['a change of nobody', { ...change, person_key: undefined }, 'whole'],
    ['text that is not JSON', Buffer.from('{'), 'invalid'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'invalid'],
    ['an event without an account', { ...change, account_key: undefined }, 'invalid'],
    [
      'a state that there is not',
      { ...change, event_data: { ...change.event_data, state: 'lost' } },
      'misfit',
    ],
    [
      'a state of the other entity',
      {
        ...change,
        event_type: 'step_state_change',
        event_data: { ...change.event_data, state: 'exited' },
      },
      'misfit',
    ],
    ['no event_data to speak of', { ...change, event_data: {} }, 'misfit'],
  ])('%s: %s', (_what, body, kind) => {
    expect(kindOf(delivered(body))).toBe(kind)
  })
})

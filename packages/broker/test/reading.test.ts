import { LIMITS } from '@signalbox/contracts'
import { describe, expect, it } from 'vitest'
import type { Delivery } from '../src/index.ts'
import { readCommand, readEvent, readJson } from '../src/index.ts'

const event = {
  account_key: 'acme',
  conversation_key: 'c',
  conversation_type: 'poll',
  event_type: 'poll_complete',
  event_data: {},
}

describe('reading a message', () => {
  it.each([
    ['not JSON', Buffer.from('{"a":'), 'SB_INVALID_MESSAGE', /the event is not JSON/],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'SB_INVALID_MESSAGE', /the event is not JSON/],
    ['too large', Buffer.alloc(LIMITS.maxMessageBytes + 1), 'SB_TOO_LARGE', /262145 bytes/],
  ])('says of a body that it is %s', (_what, body, code, message) => {
    expect(() => readJson(body, 'the event')).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    )
  })

  it('names the field of an event that is wrong', () => {
    expect(() => read({ ...event, event_type: 'a.b' })).toThrow(/event_type/)
  })

  it('gives an event without an id the same one at every delivery, its message id if it has one', () => {
    expect(read(event).event_id).toBe(read(event).event_id)
    expect(read(event, { messageId: 'm-1' }).event_id).toBe('m-1')
    expect(read({ ...event, event_id: 'own' }, { messageId: 'm-1' }).event_id).toBe('own')
    expect(read(event).event_id).not.toBe(read({ ...event, event_data: { n: 1 } }).event_id)
  })

  it("reads Vumi Go's shape from Vumi Go's exchange only", () => {
    const { event_data, conversation_type: _type, ...rest } = event
    const vumi = { ...rest, content: event_data }
    expect(readEvent(vumi, delivery(vumi, {}, 'vumi'))).toMatchObject({
      conversation_type: 'vumi',
      event_data: {},
    })
    expect(() => read(vumi)).toThrow(/event_data/)
  })

  it('completes a command as Vumi Go writes it', () => {
    const command = { worker_name: 'survey', command: 'start' }
    const complete = readCommand(command, delivery(command))
    expect(complete).toMatchObject({ ...command, args: [], kwargs: {} })
    expect(readCommand(command, delivery(command)).command_id).toBe(complete.command_id)
  })

  it('refuses JSON that is nested too deeply instead of overflowing', () => {
    const depth = 50_000
    const text = `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
    const deep = { ...event, event_data: JSON.parse(text) as object }
    expect(() => readEvent(deep, delivery(event))).toThrow(
      expect.objectContaining({ code: 'SB_INVALID_MESSAGE' }),
    )
  })
})

function read(json: object, properties: Delivery['properties'] = {}) {
  return readEvent(json, delivery(json, properties))
}

function delivery(
  json: object,
  properties: Delivery['properties'] = {},
  exchange = 'signalbox.events',
): Delivery {
  return {
    body: Buffer.from(JSON.stringify(json)),
    exchange,
    routingKey: 'poll.poll_complete.acme',
    redelivered: false,
    deliveryCount: 0,
    isVoid: false,
    properties,
  }
}

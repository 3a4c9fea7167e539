/** Events in the shapes of others: CloudEvents and Vumi Go. */
import { describe, expect, test } from 'vitest'
import {
  cloudEventSchema,
  eventFromCloudEvent,
  eventInputSchema,
  vumiGoEventSchema,
} from '../src/index.ts'

const CLOUD_EVENT = {
  specversion: '1.0',
  id: 'A234-1234-1234',
  source: 'https://example.org/polls/spring-poll',
  type: 'org.example.poll.poll_complete',
  time: '2026-01-31T11:30:00+02:00',
  subject: 'p1',
  datacontenttype: 'application/json; charset=utf-8',
  data: { score: 7 },
}

describe('a CloudEvent', () => {
  test('becomes an event: kind from its type, conversation from its source, person from its subject', () => {
    const event = eventFromCloudEvent('acme', cloudEventSchema.parse(CLOUD_EVENT))
    expect(eventInputSchema.parse(event)).toEqual({
      event_id: 'A234-1234-1234',
      account_key: 'acme',
      conversation_key: 'spring-poll',
      conversation_type: 'poll',
      event_type: 'poll_complete',
      event_data: { score: 7 },
      timestamp: '2026-01-31T09:30:00.000Z',
      person_key: 'p1',
    })
  })

  test.each([
    ['https://example.org/polls/spring-poll/', 'spring-poll'],
    ['/polls/spring-poll', 'spring-poll'],
    ['urn:poll:spring-poll', 'spring-poll'],
    ['spring-poll', 'spring-poll'],
    ['https://example.org/polls#spring-poll', 'spring-poll'],
  ])('from %s is of the conversation %s', (source, expected) => {
    const event = eventFromCloudEvent('acme', cloudEventSchema.parse({ ...CLOUD_EVENT, source }))
    expect(event.conversation_key).toBe(expected)
  })

  test('names its conversation itself when its source does not', () => {
    const sent = cloudEventSchema.parse({ ...CLOUD_EVENT, conversationkey: 'autumn' })
    expect(eventFromCloudEvent('acme', sent).conversation_key).toBe('autumn')
  })

  test('needs neither data nor time', () => {
    const { data: _data, time: _time, subject: _subject, ...least } = CLOUD_EVENT
    const event = eventFromCloudEvent('acme', cloudEventSchema.parse(least))
    expect(event).toMatchObject({ event_data: {} })
    expect(event).not.toHaveProperty('timestamp')
    expect(event).not.toHaveProperty('person_key')
  })

  test.each([
    ['specversion', '0.3'],
    ['id', ''],
    ['source', ''],
    ['type', 'poll_complete'],
    ['type', 'poll.'],
    ['time', 'yesterday'],
    ['datacontenttype', 'text/xml'],
    ['datacontenttype', 'application/jsonish'],
    ['data', 'text'],
    ['subject', 'two words'],
  ])('is refused for its %s: %j', (field, value) => {
    const outcome = cloudEventSchema.safeParse({ ...CLOUD_EVENT, [field]: value })
    expect(outcome.error?.issues[0]?.path).toEqual([field])
  })
})

const VUMI_EVENT = {
  message_type: 'event',
  message_version: '20110921',
  event_id: 'ca5af3d0ee7a4ea4bd4ca9f4cbd59ba7',
  account_key: 'acme',
  conversation_key: '0a1b2c',
  event_type: 'survey_completed',
  timestamp: '2013-02-28 14:00:00.123456',
  content: { from_addr: '+27820000001' },
}

describe("an event of Vumi Go's", () => {
  test('is read with content as event_data, a type of its own and its time in UTC', () => {
    const { content: _content, ...rest } = VUMI_EVENT
    expect(vumiGoEventSchema.parse(VUMI_EVENT)).toEqual({
      ...rest,
      conversation_type: 'vumi',
      event_data: { from_addr: '+27820000001' },
      timestamp: '2013-02-28T14:00:00.123456Z',
    })
  })

  test('keeps the conversation_type that it sends', () => {
    const event = vumiGoEventSchema.parse({ ...VUMI_EVENT, conversation_type: 'survey' })
    expect(event.conversation_type).toBe('survey')
  })

  test.each([
    ['2013-02-28 14:00:00', '2013-02-28T14:00:00Z'],
    ['2013-02-28T14:00:00Z', '2013-02-28T14:00:00Z'],
  ])('may have the time %s', (timestamp, expected) => {
    expect(vumiGoEventSchema.parse({ ...VUMI_EVENT, timestamp }).timestamp).toBe(expected)
  })

  test.each([
    ['timestamp', '2013-02-30 14:00:00'],
    ['timestamp', 'Thu Feb 28 2013'],
    ['content', undefined],
    ['content', 'text'],
    ['account_key', undefined],
    ['event_type', 'survey completed'],
  ])('is refused for its %s: %j', (field, value) => {
    const outcome = vumiGoEventSchema.safeParse({ ...VUMI_EVENT, [field]: value })
    expect(outcome.error?.issues[0]?.path).toEqual([field])
  })

  test('cannot say what caused it: that is the dispatcher’s to say', () => {
    const forged = {
      ...VUMI_EVENT,
      caused_by: { event_id: 'e', run_id: 'r', step_id: 's', hops: 1 },
    }
    expect(vumiGoEventSchema.parse(forged)).not.toHaveProperty('caused_by')
  })
})

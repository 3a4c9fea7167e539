import { expect, test } from 'vitest'
import { CLOUD_EVENT_BATCH_MEDIA_TYPE, readEvents } from '../src/event-body.ts'

const JSON_TYPE = 'application/json'
const CLOUD_TYPE = 'application/cloudevents+json'

const EVENT = {
  conversation_key: 'spring-poll',
  conversation_type: 'poll',
  event_type: 'poll_complete',
  event_data: { score: 7 },
}
const CLOUD_EVENT = {
  specversion: '1.0',
  id: 'e-1',
  source: '/polls/spring-poll',
  type: 'com.example.poll.poll_complete',
  time: '2026-03-01T10:00:00+02:00',
  subject: 'p1',
  data: { score: 7 },
}

const read = (body: unknown, mediaType = JSON_TYPE) =>
  readEvents({ body, mediaType, accountKey: 'acme' })

test('one event gets the account of the path, an identity and a time', () => {
  const [event] = read(EVENT)
  expect(event).toEqual({
    ...EVENT,
    account_key: 'acme',
    event_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
    timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
  })
})

test('what the source chose and what nobody knows is kept', () => {
  const sent = {
    ...EVENT,
    event_id: 'mine',
    timestamp: '2026-03-01T10:00:00.000Z',
    person_key: 'p1',
    account_key: 'acme',
    colour: ['red'],
  }
  expect(read(sent)).toEqual([sent])
})

test('an array keeps its order', () => {
  const ids = ['c', 'a', 'b']
  const events = read(ids.map((event_id) => ({ ...EVENT, event_id })))
  expect(events.map((event) => event.event_id)).toEqual(ids)
})

const FROM_CLOUD_EVENT = {
  event_id: 'e-1',
  account_key: 'acme',
  conversation_key: 'spring-poll',
  conversation_type: 'poll',
  event_type: 'poll_complete',
  event_data: { score: 7 },
  timestamp: '2026-03-01T08:00:00.000Z',
  person_key: 'p1',
}

test.each([
  ['alone, under its media type', CLOUD_EVENT, CLOUD_TYPE],
  ['alone, as plain JSON with a specversion', CLOUD_EVENT, JSON_TYPE],
  ['in a batch, under its media type', [CLOUD_EVENT], CLOUD_EVENT_BATCH_MEDIA_TYPE],
  ['in an array of plain JSON', [CLOUD_EVENT], JSON_TYPE],
])('a CloudEvent %s reads as the event it describes', (_case, body, mediaType) => {
  expect(read(body, mediaType)).toEqual([FROM_CLOUD_EVENT])
})

test('events and CloudEvents may stand in one array of plain JSON', () => {
  const events = read([{ ...EVENT, event_id: 'plain' }, CLOUD_EVENT])
  expect(events.map((event) => event.event_id)).toEqual(['plain', 'e-1'])
})

const NAME = 'must be 1 to 64 characters of A-Z a-z 0-9 _ -'
const KEY = 'must be 1 to 128 printable characters without spaces'

test.each([
  ['text', 'hello', '', /expected object/],
  ['null', null, '', /expected object/],
  ['a number in an array', [EVENT, 7], '[1]', /expected object/],
  ['an array in an array', [[EVENT]], '[0]', /expected object/],
  ['no event_type', { ...EVENT, event_type: undefined }, 'event_type', 'is required'],
  ['a bad name', [{ ...EVENT, conversation_type: 'a b' }], '[0].conversation_type', NAME],
  ['a bad key', { ...EVENT, conversation_key: '' }, 'conversation_key', KEY],
  ['a key too long', { ...EVENT, event_id: 'x'.repeat(129) }, 'event_id', KEY],
  [
    'an identity of too many bytes',
    { ...EVENT, event_id: '💬'.repeat(64) },
    'event_id',
    /255 bytes/,
  ],
  [
    'a CloudEvent of too long an identity',
    { ...CLOUD_EVENT, id: '💬'.repeat(64) },
    'id',
    /255 bytes/,
  ],
  ['a key that is no text', { ...EVENT, person_key: 12 }, 'person_key', /expected string/],
  ['event_data that is an array', [EVENT, { ...EVENT, event_data: [] }], '[1].event_data', /./],
  ['no event_data', { ...EVENT, event_data: undefined }, 'event_data', 'is required'],
  ['a time without a zone', { ...EVENT, timestamp: '2026-01-01T00:00:00' }, 'timestamp', /UTC/],
  [
    'another account',
    { ...EVENT, account_key: 'b' },
    'account_key',
    'is "b", and the path says "acme"',
  ],
  ['a bad account', { ...EVENT, account_key: '*' }, 'account_key', NAME],
  [
    'a cause',
    [{ ...EVENT, caused_by: {} }],
    '[0].caused_by',
    'is set by Signalbox alone; leave it out',
  ],
  ['an old CloudEvent', { ...CLOUD_EVENT, specversion: '0.3' }, 'specversion', /1\.0/],
  ['a CloudEvent of a short type', { ...CLOUD_EVENT, type: 'poll' }, 'type', /<conversation_type>/],
  ['a CloudEvent without id', { ...CLOUD_EVENT, id: undefined }, 'id', 'is required'],
  [
    'a CloudEvent from a spaced source',
    [{ ...CLOUD_EVENT, source: '/a b' }],
    '[0].source',
    /conversation_key/,
  ],
  [
    'a CloudEvent after the year 9999',
    { ...CLOUD_EVENT, time: '9999-12-31T23:59:59-14:00' },
    'time',
    /timestamp/,
  ],
  ['a CloudEvent with text as data', { ...CLOUD_EVENT, data: 'text' }, 'data', /./],
  [
    'a CloudEvent with XML',
    { ...CLOUD_EVENT, datacontenttype: 'text/xml' },
    'datacontenttype',
    /JSON/,
  ],
])('%s is refused, with the path and the fault', (_case, body, path, message) => {
  expect(() => read(body)).toThrow(
    expect.objectContaining({
      code: 'SB_INVALID_INPUT',
      details: [{ path, message: expect.stringMatching(message) }],
    }),
  )
})

test('every fault of every event is told, up to a hundred', () => {
  const bad = { ...EVENT, event_type: 'a b', conversation_key: '' }
  expect(() => read([bad, EVENT, bad])).toThrow(
    expect.objectContaining({
      details: [
        { path: '[0].conversation_key', message: KEY },
        { path: '[0].event_type', message: NAME },
        { path: '[2].conversation_key', message: KEY },
        { path: '[2].event_type', message: NAME },
      ],
    }),
  )
  expect(() => read(Array.from({ length: 1_000 }, () => bad))).toThrow(
    expect.objectContaining({ details: expect.objectContaining({ length: 100 }) }),
  )
})

test.each([
  ['nothing', [], JSON_TYPE, /0 events/],
  ['too many', Array.from({ length: 1_001 }, () => EVENT), JSON_TYPE, /1001 events/],
  ['an array as one CloudEvent', [CLOUD_EVENT], CLOUD_TYPE, /is one event/],
  ['one as a batch', CLOUD_EVENT, CLOUD_EVENT_BATCH_MEDIA_TYPE, /is an array/],
])('%s is refused as a whole', (_case, body, mediaType, message) => {
  expect(() => read(body, mediaType)).toThrow(message)
})

test('a plain event under a CloudEvents media type is refused', () => {
  expect(() => read(EVENT, CLOUD_TYPE)).toThrow(/specversion/)
})

test('a thousand events are taken', () => {
  expect(read(Array.from({ length: 1_000 }, () => EVENT))).toHaveLength(1_000)
})

test('an event too large to be sent is named, with its size', () => {
  const large = { ...EVENT, event_data: { text: 'x'.repeat(256 * 1024) } }
  expect(() => read([EVENT, large])).toThrow(
    expect.objectContaining({
      code: 'SB_TOO_LARGE',
      details: [{ path: '[1]', message: expect.stringMatching(/^has 262\d\d\d bytes/) }],
    }),
  )
})

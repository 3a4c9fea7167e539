import { UnavailableError } from '@signalbox/kit'
import { waitFor } from '@signalbox/testkit'
import { expect, test } from 'vitest'
import { startFixture } from './fixture.ts'

const EVENT = {
  conversation_key: 'spring-poll',
  conversation_type: 'poll',
  event_type: 'poll_complete',
  event_data: { score: 7 },
}
const URL = '/v1/accounts/acme/events'

test('an event is published as it will travel, and answered with its identity', async () => {
  await using api = await startFixture()
  const answer = await api.call({ method: 'POST', url: URL, payload: EVENT })
  expect(answer.statusCode).toBe(202)
  const { event_ids } = answer.json()
  const [delivery] = await waitFor(() => api.published.length === 1 && api.published, {
    what: 'the event in the queue',
  })
  expect(delivery!.routingKey).toBe('poll.poll_complete.acme')
  expect(delivery!.properties).toMatchObject({ messageId: event_ids[0], type: 'VumiApiEvent' })
  expect(JSON.parse(delivery!.body.toString())).toEqual({
    ...EVENT,
    account_key: 'acme',
    event_id: event_ids[0],
    timestamp: expect.any(String),
  })
})

test('an array is published in its order and answered in it', async () => {
  await using api = await startFixture()
  const ids = Array.from({ length: 50 }, (_, index) => `e-${49 - index}`)
  const payload = ids.map((event_id) => ({ ...EVENT, event_id }))
  const answer = await api.call({ method: 'POST', url: URL, payload })
  expect(answer.json()).toEqual({ event_ids: ids })
  await waitFor(() => api.published.length === ids.length, { what: 'all events in the queue' })
  expect(api.published.map((delivery) => delivery.properties.messageId)).toEqual(ids)
})

test.each([
  ['application/cloudevents+json; charset=utf-8', false],
  ['Application/CloudEvents-Batch+JSON', true],
])('%s is taken', async (mediaType, isBatch) => {
  await using api = await startFixture()
  const cloudEvent = { specversion: '1.0', id: 'e-1', source: 'c', type: 'poll.done' }
  const answer = await api.call({
    method: 'POST',
    url: URL,
    headers: { 'content-type': mediaType },
    payload: JSON.stringify(isBatch ? [cloudEvent] : cloudEvent),
  })
  expect(answer.json()).toEqual({ event_ids: ['e-1'] })
})

test('one bad event among good ones keeps all from being published', async () => {
  await using api = await startFixture()
  const payload = [EVENT, EVENT, EVENT, { ...EVENT, event_data: 'text' }]
  const refused = await api.call({ method: 'POST', url: URL, payload })
  expect(refused.statusCode).toBe(400)
  expect(refused.headers['content-type']).toMatch('application/problem+json')
  expect(refused.json()).toMatchObject({
    code: 'SB_INVALID_INPUT',
    errors: [{ path: '[3].event_data' }],
  })
  await api.call({ method: 'POST', url: URL, payload: { ...EVENT, event_id: 'after' } })
  await waitFor(() => api.published.length > 0, { what: 'the event after' })
  expect(api.published.map((delivery) => delivery.properties.messageId)).toEqual(['after'])
})

test('an event too large to be sent is answered 413 and named', async () => {
  await using api = await startFixture()
  const large = { ...EVENT, event_data: { text: 'x'.repeat(256 * 1024) } }
  const answer = await api.call({ method: 'POST', url: URL, payload: [EVENT, large] })
  expect(answer.statusCode).toBe(413)
  expect(answer.json()).toMatchObject({ code: 'SB_TOO_LARGE', errors: [{ path: '[1]' }] })
})

test('a body of more than 16 MiB is answered 413', async () => {
  await using api = await startFixture()
  const payload = { ...EVENT, event_data: { text: 'x'.repeat(16 * 1024 * 1024) } }
  const answer = await api.call({ method: 'POST', url: URL, payload })
  expect({ status: answer.statusCode, code: answer.json().code }).toEqual({
    status: 413,
    code: 'SB_TOO_LARGE',
  })
})

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

test.each([
  ['is passed on', TRACEPARENT, TRACEPARENT],
  ['that is malformed is left out', 'nonsense', undefined],
])('a traceparent %s', async (_case, traceparent, expected) => {
  await using api = await startFixture()
  await api.call({ method: 'POST', url: URL, payload: EVENT, headers: { traceparent } })
  await waitFor(() => api.published.length === 1, { what: 'the event in the queue' })
  expect(api.published[0]!.properties.traceparent).toBe(expected)
})

test('when the broker confirms only some, the answer says which, and under which identities to repeat', async () => {
  await using api = await startFixture({
    broker: {
      async publish({ properties }) {
        if (properties.messageId !== 'b') return 'routed'
        throw new UnavailableError('no confirm came', { code: 'SB_BROKER_UNAVAILABLE' })
      },
    },
  })
  const payload = ['a', 'b', 'c'].map((event_id) => ({ ...EVENT, event_id }))
  const answer = await api.call({ method: 'POST', url: URL, payload })
  expect(answer.statusCode).toBe(503)
  expect(answer.headers['retry-after']).toBe('1')
  expect(answer.json()).toMatchObject({
    code: 'SB_BROKER_UNAVAILABLE',
    detail: expect.stringContaining('2 of 3'),
    event_ids: ['a', 'b', 'c'],
    confirmed_event_ids: ['a', 'c'],
  })
})

test('whoever waits for the answer does not wait long: the broker is asked with five seconds of patience', async () => {
  const patience: unknown[] = []
  await using api = await startFixture({
    broker: {
      async publish(_message, options) {
        patience.push(options?.patienceMs)
        throw new UnavailableError('the broker is away', { code: 'SB_BROKER_UNAVAILABLE' })
      },
    },
  })
  const answer = await api.call({ method: 'POST', url: URL, payload: EVENT })
  expect(answer.json()).toMatchObject({ status: 503, retryable: true })
  expect(patience).toEqual([5_000])
})

test('what the broker confirmed is counted', async () => {
  await using api = await startFixture()
  await api.call({ method: 'POST', url: URL, payload: [EVENT, EVENT] })
  const { body } = await api.app.inject('/metrics')
  expect(body).toContain('signalbox_api_events_total{outcome="confirmed"} 2')
})

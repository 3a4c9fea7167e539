import { UnavailableError } from '@signalbox/kit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fixture, startFixture } from './fixture.ts'

let api: Fixture
beforeAll(async () => {
  api = await startFixture()
})
afterAll(() => api[Symbol.asyncDispose]())

test('the root says who answers, and where the description is', async () => {
  const answer = await api.app.inject('/')
  expect(answer.json()).toMatchObject({ name: 'signalbox', openapi: '/openapi.json' })
  const described = await api.app.inject('/openapi.json')
  expect(described.json().openapi).toBe('3.1.1')
})

test.each(['/', '/openapi.json', '/healthz', '/nowhere', '/v1/accounts/acme/chains'])(
  'the answer of %s is neither kept, guessed at nor framed',
  async (url) => {
    expect((await api.call({ url })).headers).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
    })
  },
)

const CHAINS = '/v1/accounts/acme/chains'
const EVENTS = '/v1/accounts/acme/events'
const json = { 'content-type': 'application/json' }
const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`

test.each([
  ['an address that is not there', { url: '/v2' }, 404, 'SB_NOT_FOUND'],
  ['a method that is not there', { method: 'PATCH', url: CHAINS }, 404, 'SB_NOT_FOUND'],
  ['an address that cannot be decoded', { url: '/v1/%zz' }, 400, 'SB_INVALID_INPUT'],
  ['a segment too long', { url: `${CHAINS}/${'x'.repeat(2_000)}` }, 413, 'SB_TOO_LARGE'],
  ['an account that is no name', { url: '/v1/accounts/a.b/chains' }, 400, 'SB_INVALID_INPUT'],
  [
    'text',
    { method: 'POST', url: EVENTS, payload: 'hi', headers: { 'content-type': 'text/plain' } },
    415,
    'SB_UNSUPPORTED_MEDIA_TYPE',
  ],
  [
    'XML',
    { method: 'POST', url: EVENTS, payload: '<a/>', headers: { 'content-type': 'text/xml' } },
    415,
    'SB_UNSUPPORTED_MEDIA_TYPE',
  ],
  ['no body', { method: 'POST', url: EVENTS }, 400, 'SB_INVALID_INPUT'],
  [
    'an empty body',
    { method: 'POST', url: EVENTS, payload: '', headers: json },
    400,
    'SB_INVALID_INPUT',
  ],
  [
    'half an object',
    { method: 'POST', url: EVENTS, payload: '{"a":', headers: json },
    400,
    'SB_INVALID_JSON',
  ],
  [
    'a prototype',
    { method: 'POST', url: EVENTS, payload: '{"__proto__":{}}', headers: json },
    400,
    'SB_INVALID_JSON',
  ],
  [
    'a body nested without end',
    { method: 'POST', url: EVENTS, payload: deep, headers: json },
    400,
    'SB_INVALID_INPUT',
  ],
  [
    'a field nested without end',
    { method: 'POST', url: EVENTS, payload: `{"x":${deep}}`, headers: json },
    400,
    'SB_INVALID_INPUT',
  ],
  [
    'a number without end',
    { method: 'POST', url: EVENTS, payload: '{"x":1e999}', headers: json },
    400,
    'SB_INVALID_INPUT',
  ],
  [
    'a chain of 1 MiB',
    { method: 'PUT', url: `${CHAINS}/x`, payload: { name: 'x'.repeat(1024 * 1024) } },
    413,
    'SB_TOO_LARGE',
  ],
] as const)('%s is answered with a problem document', async (_case, request, status, code) => {
  const answer = await api.call(request)
  expect(answer.headers['content-type']).toMatch('application/problem+json')
  expect(answer.json()).toMatchObject({ status, code, detail: expect.any(String) })
  expect(answer.statusCode).toBe(status)
})

const away = async () => {
  throw new UnavailableError('Redis does not answer', { code: 'SB_STORE_UNAVAILABLE' })
}
/** A store of which every method fails. */
const awayStore = new Proxy({}, { get: () => away })

test.each([
  ['GET', CHAINS],
  ['GET', `${CHAINS}/x`],
  ['DELETE', `${CHAINS}/x`],
  ['GET', EVENTS],
  ['GET', `${EVENTS}/x`],
  ['GET', '/v1/accounts/acme/contacts'],
  ['GET', '/v1/accounts/acme/contacts/x'],
  ['GET', '/v1/accounts/acme/handlers'],
  ['GET', '/v1/accounts/acme/keys'],
  ['DELETE', '/v1/accounts/acme/keys/x'],
  ['DELETE', '/v1/handlers/x'],
] as const)('%s %s is answered 503 while the store is away, never 404', async (method, url) => {
  await using blind = await startFixture({
    store: {
      chains: awayStore as Fixture['store']['chains'],
      catalog: awayStore as Fixture['store']['catalog'],
      contacts: awayStore as Fixture['store']['contacts'],
      apiKeys: awayStore as Fixture['store']['apiKeys'],
      biographies: awayStore as Fixture['store']['biographies'],
    },
  })
  const answer = await blind.call({ method, url })
  expect(answer.json()).toMatchObject({ status: 503, code: 'SB_STORE_UNAVAILABLE' })
  expect(answer.headers['retry-after']).toBe('1')
})

test('a fault of ours shows nothing of itself', async () => {
  await using broken = await startFixture({
    broker: {
      async publish() {
        throw new Error('the secret of the house')
      },
    },
  })
  const event = { conversation_key: 'c', conversation_type: 'a', event_type: 'b', event_data: {} }
  const answer = await broken.call({ method: 'POST', url: EVENTS, payload: event })
  expect(answer.statusCode).toBe(500)
  expect(answer.body).not.toContain('secret')
})

test('it is ready only while the broker and the store are', async () => {
  await using lost = await startFixture({
    broker: { unavailableReason: () => 'not connected' },
    store: { unavailableReason: () => undefined },
  })
  const answer = await lost.app.inject('/readyz')
  expect(answer.statusCode).toBe(503)
  expect(answer.json()).toEqual({ ready: false, reasons: { rabbitmq: 'not connected' } })
})

test.each([
  ['dead-letters/d-1/replay', 404, undefined],
  ['dead-letters/replay', 400, ''],
  ['dead-letters/d-1/edit-and-replay', 400, ''],
  ['dead-letters/d-1/discard', 400, 'reason'],
  ['keys', 400, 'name'],
  ['tokens', 400, 'person_key'],
  ['events', 400, 'conversation_key'],
] as const)('POST %s without a body is one without fields', async (path, status, fault) => {
  for (const request of [{}, { payload: '', headers: json }]) {
    const answer = await api.call({ method: 'POST', url: `/v1/accounts/acme/${path}`, ...request })
    expect(answer.statusCode).toBe(status)
    expect(answer.json().errors?.[0]?.path).toBe(fault)
  }
})

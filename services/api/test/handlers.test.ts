import { expect, test } from 'vitest'
import { startFixture } from './fixture.ts'

const DESCRIPTION = {
  description: 'Writes a letter.',
  config_schema: { type: 'object', properties: { to: { type: 'string' } } },
}
const URL = '/v1/handlers/write_letter'

test('a registered handler has a queue, and is in the catalog of every account', async () => {
  await using api = await startFixture()
  const answer = await api.call({
    method: 'PUT',
    url: URL,
    payload: { ...DESCRIPTION, worker_id: 'letters-1', ttl_seconds: 60 },
  })
  expect(answer.statusCode).toBe(200)
  expect(answer.json()).toEqual({
    name: 'write_letter',
    worker_id: 'letters-1',
    expires_at: expect.any(String),
    queue: 'signalbox.handler.write_letter',
    exchange: 'signalbox.handlers',
    routing_key: 'write_letter',
  })
  const { items } = (await api.call({ url: '/v1/accounts/acme/handlers' })).json()
  expect(items).toEqual([
    {
      ...DESCRIPTION,
      name: 'write_letter',
      fires: [],
      registered_at: expect.any(String),
      workers: [{ worker_id: 'letters-1', expires_at: expect.any(String) }],
    },
  ])
  const outcome = await api.broker.publish({
    exchange: answer.json().exchange,
    routingKey: answer.json().routing_key,
    body: Buffer.from('[]'),
    properties: { messageId: 'm', type: 'HandlerInvocation' },
  })
  expect(outcome).toBe('routed')
})

test('a removed handler is in no catalog', async () => {
  await using api = await startFixture()
  await api.call({ method: 'PUT', url: URL, payload: DESCRIPTION })
  expect((await api.call({ method: 'DELETE', url: URL })).statusCode).toBe(204)
  expect((await api.call({ method: 'DELETE', url: URL })).statusCode).toBe(404)
  expect((await api.call({ url: '/v1/accounts/acme/handlers' })).json()).toEqual({ items: [] })
})

test.each([
  ['no description', { config_schema: {} }, 'description'],
  ['no schema', { description: '' }, 'config_schema'],
  ['a schema that is none', { ...DESCRIPTION, config_schema: { type: 'text' } }, 'config_schema'],
  [
    'a schema that refers to another',
    { ...DESCRIPTION, config_schema: { $ref: 'https://example.org/x' } },
    'config_schema',
  ],
  ['a bad output schema', { ...DESCRIPTION, output_schema: { properties: 5 } }, 'output_schema'],
  ['a life too long', { ...DESCRIPTION, ttl_seconds: 86_401 }, 'ttl_seconds'],
  ['a bad worker', { ...DESCRIPTION, worker_id: 'a b' }, 'worker_id'],
  ['a field nobody knows', { ...DESCRIPTION, name: 'other' }, 'name'],
])('%s is refused, with the path', async (_case, payload, path) => {
  await using api = await startFixture()
  const answer = await api.call({ method: 'PUT', url: URL, payload })
  expect({ status: answer.statusCode, code: answer.json().code }).toEqual({
    status: 400,
    code: 'SB_INVALID_INPUT',
  })
  expect(answer.json().errors).toEqual([{ path, message: expect.any(String) }])
})

test('a handler needs a name', async () => {
  await using api = await startFixture()
  const answer = await api.call({ method: 'PUT', url: '/v1/handlers/a.b', payload: DESCRIPTION })
  expect(answer.json()).toMatchObject({ status: 400, errors: [{ path: 'name' }] })
})

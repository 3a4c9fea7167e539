import type { HandlerDescription } from '@signalbox/contracts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fixture, startFixture } from './fixture.ts'

const SEND_SMS: HandlerDescription = {
  name: 'send_sms',
  description: 'Sends a text message.',
  config_schema: {
    type: 'object',
    properties: { to: { type: 'string' }, body: { type: 'string' } },
    required: ['to', 'body'],
    additionalProperties: false,
  },
  fires: [],
}
const STEP = { id: 'sms', handler: 'send_sms', config: { to: '+27831234567', body: 'Thank you!' } }
const CHAIN = {
  name: 'Poll to SMS',
  trigger: { conversation_type: 'poll', event_type: 'poll_complete' },
  steps: [STEP],
}

let api: Fixture
beforeAll(async () => {
  api = await startFixture()
  await api.store.catalog.register(SEND_SMS, { workerId: 'w', ttlMs: 60_000 })
})
afterAll(() => api[Symbol.asyncDispose]())

const urlOf = (chainId: string, account = 'acme') => `/v1/accounts/${account}/chains/${chainId}`
const put = (chainId: string, payload: object, account?: string) =>
  api.call({ method: 'PUT', url: urlOf(chainId, account), payload })

test('a chain is created, read, replaced and deleted', async () => {
  const created = await put('thanks', CHAIN)
  expect(created.statusCode).toBe(201)
  expect(created.json()).toEqual({
    ...CHAIN,
    enabled: true,
    steps: [{ ...STEP, on_error: 'stop' }],
    chain_id: 'thanks',
    version: 1,
    updated_at: expect.any(String),
  })
  expect((await api.call({ url: urlOf('thanks') })).json()).toEqual(created.json())

  const replaced = await put('thanks', { ...created.json(), name: 'Renamed' })
  expect(replaced.statusCode).toBe(200)
  expect(replaced.json()).toMatchObject({ name: 'Renamed', version: 2 })

  const remove = () => api.call({ method: 'DELETE', url: urlOf('thanks') })
  expect((await remove()).statusCode).toBe(204)
  expect((await remove()).statusCode).toBe(404)
  expect((await api.call({ url: urlOf('thanks') })).json()).toMatchObject({
    code: 'SB_NOT_FOUND',
    detail: 'there is no chain "thanks"',
  })
})

test('chains are listed page by page, and those of other accounts are not', async () => {
  for (const chainId of ['b', 'c', 'a']) await put(chainId, CHAIN, 'pages')
  await put('d', CHAIN, 'elsewhere')
  const url = '/v1/accounts/pages/chains?limit=2'
  const first = (await api.call({ url })).json()
  const second = (await api.call({ url: `${url}&cursor=${first.next}` })).json()
  const ids = [first, second].map((page) =>
    page.items.map((chain: { chain_id: string }) => chain.chain_id),
  )
  expect(ids).toEqual([['a', 'b'], ['c']])
  expect(second).not.toHaveProperty('next')
})

test('a second default chain is a conflict', async () => {
  const fallback = { ...CHAIN, trigger: { default: true } }
  expect((await put('one', fallback, 'defaults')).statusCode).toBe(201)
  const second = await put('two', fallback, 'defaults')
  expect({ status: second.statusCode, code: second.json().code }).toEqual({
    status: 409,
    code: 'SB_CONFLICT',
  })
})

const withStep = (step: object) => ({ ...CHAIN, steps: [STEP, { ...STEP, id: 'second', ...step }] })

test.each([
  ['no steps', { ...CHAIN, steps: [] }, 'steps'],
  ['no name', { ...CHAIN, name: '' }, 'name'],
  ['an unknown field', { ...CHAIN, step: [] }, 'step'],
  ['an unknown field of a step', withStep({ handlr: 'x' }), 'steps[1].handlr'],
  ['half a trigger', { ...CHAIN, trigger: { event_type: 'x' } }, 'trigger.conversation_type'],
  ['an unknown handler', withStep({ handler: 'send_smoke' }), 'steps[1].handler'],
  ['a config that does not fit', withStep({ config: { to: 5, body: '' } }), 'steps[1].config.to'],
  ['an expression that does not parse', withStep({ when: 'event.' }), 'steps[1].when'],
  ['a reference to a later step', withStep({ when: 'has(results.third.x)' }), 'steps[1].when'],
  [
    'a condition that does not parse',
    { ...CHAIN, trigger: { ...CHAIN.trigger, when: '(' } },
    'trigger.when',
  ],
  ['two steps of one id', withStep({ id: 'sms' }), 'steps[1].id'],
])('%s is refused, with the path', async (_case, payload, path) => {
  const answer = await put('bad', payload)
  expect({ status: answer.statusCode, code: answer.json().code }).toEqual({
    status: 400,
    code: 'SB_INVALID_CHAIN',
  })
  expect(answer.json().errors.map((error: { path: string }) => error.path)).toContain(path)
  expect((await api.call({ url: urlOf('bad') })).statusCode).toBe(404)
})

test('a chain of more than 64 KiB is answered 413', async () => {
  const steps = Array.from({ length: 90 }, (_, index) => ({
    ...STEP,
    id: `s${index}`,
    config: { to: '1', body: 'x'.repeat(1_000) },
  }))
  const answer = await put('large', { ...CHAIN, steps })
  expect({ status: answer.statusCode, code: answer.json().code }).toEqual({
    status: 413,
    code: 'SB_TOO_LARGE',
  })
})

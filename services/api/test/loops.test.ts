import { UnavailableError } from '@signalbox/kit'
import { createMemoryStore } from '@signalbox/store'
import { expect, test } from 'vitest'
import { type Fixture, startFixture } from './fixture.ts'

const on = (event_type: string) => ({ conversation_type: 'poll', event_type })
const firing = (event_type: string) => ({
  id: 'fire',
  handler: 'fire_event',
  config: { event_type },
})
const chain = (trigger: object, ...steps: object[]) => ({ name: 'A chain', trigger, steps })

async function started(overrides: Parameters<typeof startFixture>[0] = {}) {
  const api = await startFixture(overrides)
  await api.store.catalog.register(
    { name: 'fire_event', description: '', config_schema: {}, fires: [], fires_any: true },
    { workerId: 'w', ttlMs: 60_000 },
  )
  await api.store.catalog.register(
    { name: 'log', description: '', config_schema: {}, fires: [] },
    { workerId: 'w', ttlMs: 60_000 },
  )
  return api
}

function put(api: Fixture, chainId: string, payload: object, query = '', account = 'acme') {
  return api.call({
    method: 'PUT',
    url: `/v1/accounts/${account}/chains/${chainId}${query}`,
    payload,
  })
}

test('a chain that would close a loop is saved with a warning that names the path', async () => {
  await using api = await started()
  const first = await put(api, 'a', chain(on('asked'), firing('answered')))
  expect(first.statusCode).toBe(201)
  expect(first.json()).not.toHaveProperty('warnings')

  const second = await put(api, 'b', chain(on('answered'), firing('asked')))
  expect(second.statusCode).toBe(201)
  expect(second.json()).toMatchObject({
    chain_id: 'b',
    version: 1,
    warnings: [
      {
        code: 'SB_POSSIBLE_LOOP',
        message: 'events may go round: b -> (poll.asked) -> a -> (poll.answered) -> b',
        path: ['b', 'a', 'b'],
      },
    ],
  })
  const kept = await api.call({ url: '/v1/accounts/acme/chains/b' })
  expect(kept.json()).not.toHaveProperty('warnings')
})

test('strict refuses it, and the chain stays as it was', async () => {
  await using api = await started()
  const sound = chain(on('asked'), firing('answered'))
  const looping = chain(on('asked'), firing('asked'))
  expect((await put(api, 'a', sound, '?strict=true')).statusCode).toBe(201)

  const refused = await put(api, 'a', looping, '?strict=true')
  expect({ status: refused.statusCode, ...refused.json() }).toMatchObject({
    status: 400,
    code: 'SB_INVALID_CHAIN',
    errors: [{ path: 'steps', message: 'events may go round: a -> (poll.asked) -> a' }],
  })
  const kept = await api.call({ url: '/v1/accounts/acme/chains/a' })
  expect(kept.json()).toMatchObject({ version: 1, steps: [firing('answered')] })
  expect((await put(api, 'a', looping, '?strict=false')).json()).toMatchObject({ version: 2 })
  expect((await put(api, 'a', looping, '?strict=perhaps')).statusCode).toBe(400)
})

test('what was changed, deleted or saved elsewhere meanwhile counts, and other accounts do not', async () => {
  await using api = await started()
  const back = chain(on('answered'), firing('asked'))
  const warned = async (account?: string) =>
    'warnings' in (await put(api, 'b', back, '', account)).json()
  const forward = async (account: string) => {
    const parsed = { ...chain(on('asked'), firing('answered')), enabled: true }
    await api.store.chains.put(account, 'a', {
      ...parsed,
      trigger: on('asked'),
      steps: [{ ...firing('answered'), on_error: 'stop' }],
    })
  }
  await forward('elsewhere')
  expect(await warned()).toBe(false)
  await forward('acme')
  expect(await warned()).toBe(true)
  await put(api, 'a', { ...chain(on('asked'), firing('answered')), enabled: false })
  expect(await warned()).toBe(false)
  await forward('acme')
  expect(await warned()).toBe(true)
  await api.store.chains.delete('acme', 'a')
  expect(await warned()).toBe(false)
})

test('many that are saved at once all see what was there before', async () => {
  await using api = await started()
  await put(api, 'a', chain(on('asked'), firing('answered')))
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => put(api, `b${n}`, chain(on('answered'), firing('asked')))),
  )
  expect(answers.map((answer) => answer.json().warnings?.length)).toEqual(Array(20).fill(1))
})

test('a chain that fires nothing is saved without a look at the others, one that does is not without', async () => {
  const { chains } = createMemoryStore()
  const changesSince = () => Promise.reject(new UnavailableError('no store'))
  await using api = await started({ store: { chains: { ...chains, changesSince } } })
  const quiet = chain(on('asked'), { id: 'note', handler: 'log' })
  expect((await put(api, 'a', quiet)).statusCode).toBe(201)
  expect((await put(api, 'a', chain(on('asked'), firing('x')))).statusCode).toBe(503)
})

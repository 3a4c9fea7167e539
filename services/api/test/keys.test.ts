import { createTokenVerifier } from '@signalbox/kit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fixture, startFixture, TOKEN_SECRET } from './fixture.ts'

let api: Fixture
beforeAll(async () => {
  api = await startFixture()
})
afterAll(() => api[Symbol.asyncDispose]())

const post = (path: string, payload: object) =>
  api.call({ method: 'POST', url: `/v1/accounts/acme/${path}`, payload })

test('a key shows its credential once, and the store never holds the secret', async () => {
  const made = await post('keys', { name: 'survey', scopes: ['publish', 'publish'] })
  expect(made.statusCode).toBe(201)
  expect(made.headers['cache-control']).toBe('no-store')
  const { credential, ...key } = made.json()
  expect(key).toEqual({
    key_id: expect.any(String),
    name: 'survey',
    scopes: ['publish'],
    created_at: expect.any(String),
  })
  const [prefix, account, keyId, secret] = credential.split('.')
  expect([prefix, account, keyId]).toEqual(['sbk', 'acme', key.key_id])

  const listed = await api.call({ url: '/v1/accounts/acme/keys' })
  expect(listed.json()).toEqual({ items: [key] })
  const kept = await api.store.apiKeys.find('acme', key.key_id)
  expect(JSON.stringify(kept)).not.toContain(secret)
})

test('a key that is not there cannot be deleted', async () => {
  const answer = await api.call({ method: 'DELETE', url: '/v1/accounts/acme/keys/nothing' })
  expect(answer.json()).toMatchObject({ status: 404, code: 'SB_NOT_FOUND' })
})

test('an account has at most a hundred keys', async () => {
  for (let count = 0; count < 100; count += 1) await api.keyOf('hoarder', 'read')
  const answer = await api.call({
    method: 'POST',
    url: '/v1/accounts/hoarder/keys',
    payload: { name: 'one more', scopes: ['read'] },
  })
  expect(answer.json()).toMatchObject({ status: 429, code: 'SB_TOO_MANY', retryable: false })
})

test.each([
  ['a person', { person_key: 'p1', ttl_seconds: 60 }, { sub: 'p1' }],
  ['the account', { scope: 'account', ttl_seconds: 60 }, { scope: 'account' }],
])('a token for %s is one that the edge takes', async (_case, payload, expected) => {
  const answer = await post('tokens', payload)
  expect(answer.statusCode).toBe(201)
  const { token, expires_at } = answer.json()
  const claims = await createTokenVerifier(TOKEN_SECRET)(token)
  expect(claims).toMatchObject({ account_key: 'acme', ...expected })
  expect(claims.exp - claims.iat!).toBe(60)
  expect(Date.parse(expires_at)).toBe(claims.exp * 1_000)
})

test.each([
  ['keys', 'no name', { scopes: ['read'] }, 'name'],
  ['keys', 'no scopes', { name: 'x', scopes: [] }, 'scopes'],
  ['keys', 'a scope nobody knows', { name: 'x', scopes: ['read', 'admin'] }, 'scopes[1]'],
  ['keys', 'an identity of its own', { name: 'x', scopes: ['read'], key_id: 'mine' }, 'key_id'],
  ['tokens', 'nobody', {}, 'person_key'],
  ['tokens', 'a person and the account', { person_key: 'p', scope: 'account' }, 'person_key'],
  ['tokens', 'a person with spaces', { person_key: 'p 1' }, 'person_key'],
  ['tokens', 'another scope', { scope: 'all' }, 'scope'],
  ['tokens', 'no time', { person_key: 'p', ttl_seconds: 0 }, 'ttl_seconds'],
  ['tokens', 'too much time', { person_key: 'p', ttl_seconds: 86_401 }, 'ttl_seconds'],
])('POST /%s with %s is refused, with the path', async (path, _case, payload, fault) => {
  const answer = await post(path, payload)
  expect(answer.json()).toMatchObject({ status: 400, code: 'SB_INVALID_INPUT' })
  expect(answer.json().errors.map((error: { path: string }) => error.path)).toContain(fault)
})

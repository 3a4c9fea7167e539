import { createTokenVerifier, UnavailableError } from '@signalbox/kit'
import { createMemoryStore } from '@signalbox/store'
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

test('a token that was issued with a key is revoked when the key is deleted, and no other is', async () => {
  const credential = await api.keyOf('acme', 'manage')
  const [, , key_id = ''] = credential.split('.')
  const request = {
    method: 'POST' as const,
    url: '/v1/accounts/acme/tokens',
    payload: { scope: 'account' },
  }
  const verify = createTokenVerifier(TOKEN_SECRET)
  const withKey = await verify((await api.call(request, credential)).json().token)
  const byAdmin = await verify((await api.call(request)).json().token)
  expect(withKey.key_id).toBe(key_id)
  expect(byAdmin).not.toHaveProperty('key_id')
  const marks = [{ keyId: key_id, jti: withKey.jti! }, { jti: byAdmin.jti! }]
  expect(await api.store.revocations.areRevoked('acme', marks)).toEqual([false, false])

  const url = `/v1/accounts/acme/keys/${key_id}`
  expect((await api.call({ method: 'DELETE', url })).statusCode).toBe(204)
  expect(await api.store.revocations.areRevoked('acme', marks)).toEqual([true, false])
  expect((await api.call({ method: 'DELETE', url })).statusCode).toBe(404)
})

test('a key stays when its tokens cannot be revoked, so that deleting it can be tried again', async () => {
  const store = createMemoryStore()
  const unavailable = () =>
    Promise.reject(new UnavailableError('away', { code: 'SB_STORE_UNAVAILABLE' }))
  await using away = await startFixture({
    store: { ...store, revocations: { ...store.revocations, revoke: unavailable } },
  })
  const credential = await away.keyOf('acme', 'read')
  const url = `/v1/accounts/acme/keys/${credential.split('.')[2]}`
  expect((await away.call({ method: 'DELETE', url })).json()).toMatchObject({ status: 503 })
  expect((await away.call({ url: '/v1/accounts/acme/keys' })).json().items).toHaveLength(1)
})

test('a token is revoked by its jti, all of a person by the person', async () => {
  const issued = await post('tokens', { person_key: 'p1' })
  const { jti } = issued.json()
  const other = (await post('tokens', { person_key: 'p2' })).json()
  expect((await post('tokens/revoke', { jti })).statusCode).toBe(204)
  expect((await post('tokens/revoke', { person_key: 'p3' })).statusCode).toBe(204)
  expect(
    await api.store.revocations.areRevoked('acme', [
      { jti, personKey: 'p1' },
      { jti: other.jti, personKey: 'p2' },
      { jti: 'x', personKey: 'p3', issuedAtMs: Date.now() - 5_000 },
    ]),
  ).toEqual([true, false, true])
})

test.each([
  ['nothing', {}, 'jti'],
  ['both', { jti: 'x', person_key: 'p' }, 'jti'],
  ['an empty jti', { jti: '' }, 'jti'],
  ['too much time', { jti: 'x', ttl_seconds: 2_592_001 }, 'ttl_seconds'],
])('POST /tokens/revoke with %s is refused, with the path', async (_case, payload, fault) => {
  const answer = await post('tokens/revoke', payload)
  expect(answer.json()).toMatchObject({ status: 400, code: 'SB_INVALID_INPUT' })
  expect(answer.json().errors.map((error: { path: string }) => error.path)).toContain(fault)
})

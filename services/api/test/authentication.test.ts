/** Every route against every kind of credential. */

import { API_SCOPES, type ApiScope } from '@signalbox/contracts'
import { UnavailableError } from '@signalbox/kit'
import type { HTTPMethods } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { issueApiKey } from '../src/credential.ts'
import { ADMIN_KEY, type Fixture, startFixture } from './fixture.ts'

/** Who may call what, written down a second time: a route that changes hands has to change here too. */
const ACCESS: Readonly<Record<string, ApiScope | 'admin'>> = {
  'POST /v1/accounts/{account_key}/events': 'publish',
  'GET /v1/accounts/{account_key}/events': 'read',
  'GET /v1/accounts/{account_key}/events/{event_id}': 'read',
  'GET /v1/accounts/{account_key}/chains': 'read',
  'GET /v1/accounts/{account_key}/chains/{chain_id}': 'read',
  'PUT /v1/accounts/{account_key}/chains/{chain_id}': 'manage',
  'DELETE /v1/accounts/{account_key}/chains/{chain_id}': 'manage',
  'GET /v1/accounts/{account_key}/listeners': 'read',
  'POST /v1/accounts/{account_key}/listeners': 'manage',
  'GET /v1/accounts/{account_key}/listeners/{listener_id}': 'read',
  'PUT /v1/accounts/{account_key}/listeners/{listener_id}': 'manage',
  'DELETE /v1/accounts/{account_key}/listeners/{listener_id}': 'manage',
  'POST /v1/accounts/{account_key}/listeners/{listener_id}/pause': 'manage',
  'POST /v1/accounts/{account_key}/listeners/{listener_id}/resume': 'manage',
  'POST /v1/accounts/{account_key}/listeners/{listener_id}/rotate-secret': 'manage',
  'POST /v1/accounts/{account_key}/listeners/{listener_id}/test': 'manage',
  'GET /v1/accounts/{account_key}/listeners/{listener_id}/deliveries': 'read',
  'POST /v1/accounts/{account_key}/listeners/{listener_id}/deliveries/{delivery_id}/retry':
    'manage',
  'POST /v1/accounts/{account_key}/listeners/{listener_id}/replay': 'manage',
  'POST /v1/accounts/{account_key}/listeners/{listener_id}/republish': 'manage',
  'GET /v1/accounts/{account_key}/events/{event_id}/deliveries': 'read',
  'POST /v1/accounts/{account_key}/sources/mistral': 'publish',
  'GET /v1/accounts/{account_key}/handlers': 'read',
  'GET /v1/accounts/{account_key}/contacts': 'read',
  'GET /v1/accounts/{account_key}/contacts/{contact_key}': 'read',
  'GET /v1/accounts/{account_key}/dead-letters': 'read',
  'GET /v1/accounts/{account_key}/dead-letters/groups': 'read',
  'GET /v1/accounts/{account_key}/dead-letters/{dead_letter_id}': 'read',
  'POST /v1/accounts/{account_key}/dead-letters/replay': 'manage',
  'POST /v1/accounts/{account_key}/dead-letters/{dead_letter_id}/replay': 'manage',
  'POST /v1/accounts/{account_key}/dead-letters/{dead_letter_id}/edit-and-replay': 'manage',
  'POST /v1/accounts/{account_key}/dead-letters/{dead_letter_id}/discard': 'manage',
  'GET /v1/accounts/{account_key}/keys': 'manage',
  'POST /v1/accounts/{account_key}/keys': 'manage',
  'DELETE /v1/accounts/{account_key}/keys/{key_id}': 'manage',
  'POST /v1/accounts/{account_key}/tokens': 'manage',
  'POST /v1/accounts/{account_key}/tokens/revoke': 'manage',
  'GET /v1/accounts/{account_key}/connections': 'read',
  'PUT /v1/handlers/{name}': 'admin',
  'DELETE /v1/handlers/{name}': 'admin',
}

const ACCOUNT = 'acme'
const ROUTES = Object.entries(ACCESS).map(([route, access]) => ({ route, access }))

let fixture: Fixture
const credentials = {} as Record<ApiScope | 'all' | 'other', string>

beforeAll(async () => {
  fixture = await startFixture()
  for (const scope of API_SCOPES) credentials[scope] = await fixture.keyOf(ACCOUNT, scope)
  credentials.all = await fixture.keyOf(ACCOUNT, ...API_SCOPES)
  credentials.other = await fixture.keyOf('other', ...API_SCOPES)
})
afterAll(() => fixture[Symbol.asyncDispose]())

/** What is named in the path is not there: whoever may call gets 404, 400 or a result. */
async function statusOf(route: string, headers: Record<string, string>) {
  const [method, path] = route.split(' ')
  const url = path!.replace('{account_key}', ACCOUNT).replaceAll(/\{\w+\}/g, 'nothing')
  const answer = await fixture.app.inject({ method: method as HTTPMethods, url, headers })
  return {
    status: answer.statusCode,
    problem: answer.statusCode < 400 ? {} : answer.json(),
    answer,
  }
}

const bearer = (credential: string) => ({ authorization: `Bearer ${credential}` })

test('the table is of all the routes there are', () => {
  const paths = fixture.app.swagger().paths ?? {}
  const documented = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations ?? {}).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(documented.toSorted()).toEqual(Object.keys(ACCESS).toSorted())
})

describe.each(ROUTES)('$route', ({ route, access }) => {
  test('asks for a credential', async () => {
    const { status, problem, answer } = await statusOf(route, {})
    expect({ status, code: problem.code }).toEqual({ status: 401, code: 'SB_UNAUTHENTICATED' })
    expect(answer.headers['www-authenticate']).toBe('Bearer')
  })

  test.each([
    ['the wrong scheme', () => ({ authorization: `Basic ${ADMIN_KEY}` })],
    ['a wrong admin key', () => bearer(`${ADMIN_KEY}x`)],
    ['a part of the admin key', () => bearer(ADMIN_KEY.slice(0, -1))],
    [
      'a key that never was',
      () => bearer(issueApiKey(ACCOUNT, { name: 'x', scopes: ['read'] }).credential),
    ],
    ['a right key with a wrong secret', () => bearer(withOtherSecret(credentials.all))],
    [
      'a right key put under another account',
      () => bearer(credentials.all.replace(ACCOUNT, 'other')),
    ],
    ['a key cut short', () => bearer(credentials.all.slice(0, -1))],
  ])('refuses %s', async (_case, headers) => {
    const { status, problem } = await statusOf(route, headers())
    expect({ status, code: problem.code }).toEqual({ status: 401, code: 'SB_UNAUTHENTICATED' })
  })

  test('refuses a key of another account', async () => {
    const { status, problem } = await statusOf(route, bearer(credentials.other))
    expect({ status, code: problem.code }).toEqual({ status: 403, code: 'SB_FORBIDDEN' })
  })

  test.each(API_SCOPES)(
    'takes a key with the scope %s only where that is what it takes',
    async (scope) => {
      const { status, problem } = await statusOf(route, bearer(credentials[scope]))
      if (scope === access) return expect([401, 403]).not.toContain(status)
      expect(status).toBe(403)
      expect(problem.detail).toContain(access)
    },
  )

  test('takes the admin key, and keys with every scope unless it is for the administrator', async () => {
    expect([401, 403]).not.toContain((await statusOf(route, bearer(ADMIN_KEY))).status)
    const { status } = await statusOf(route, bearer(credentials.all))
    if (access === 'admin') expect(status).toBe(403)
    else expect([401, 403]).not.toContain(status)
  })
})

test('wrong credentials are answered alike, whatever is wrong with them', async () => {
  const route = 'GET /v1/accounts/{account_key}/chains'
  const answers = await Promise.all(
    [
      'nonsense',
      withOtherSecret(credentials.all),
      issueApiKey('nobody', { name: 'x', scopes: [] }).credential,
    ].map(async (credential) => (await statusOf(route, bearer(credential))).answer.body),
  )
  expect(new Set(answers).size).toBe(1)
})

test('another account is refused alike, whether or not it is in use', async () => {
  await using own = await startFixture()
  const credential = await own.keyOf('acme', 'read')
  await own.keyOf('used', 'read')
  const [used, unused] = await Promise.all(
    ['used', 'unused'].map((account) =>
      own.call({ url: `/v1/accounts/${account}/chains` }, credential),
    ),
  )
  expect(used!.statusCode).toBe(403)
  expect(used!.body).toBe(unused!.body)
})

test('a deleted key is refused from then on', async () => {
  await using own = await startFixture()
  const credential = await own.keyOf('acme', 'read')
  const url = '/v1/accounts/acme/chains'
  expect((await own.call({ url }, credential)).statusCode).toBe(200)
  const [, , keyId] = credential.split('.')
  await own.call({ method: 'DELETE', url: `/v1/accounts/acme/keys/${keyId}` })
  expect((await own.call({ url }, credential)).statusCode).toBe(401)
})

test('a key that cannot be checked is answered 503, and the admin key still passes', async () => {
  const away = async () => {
    throw new UnavailableError('Redis is away', { code: 'SB_STORE_UNAVAILABLE' })
  }
  const { apiKeys } = fixture.store
  await using own = await startFixture({ store: { apiKeys: { ...apiKeys, find: away } } })
  const url = '/v1/accounts/acme/chains'
  const answer = await own.call({ url }, credentials.read)
  expect(answer.statusCode).toBe(503)
  expect(answer.json().code).toBe('SB_STORE_UNAVAILABLE')
  expect((await own.call({ url })).statusCode).toBe(200)
})

function withOtherSecret(credential: string): string {
  const other = issueApiKey(ACCOUNT, { name: 'x', scopes: ['read'] }).credential
  return [...credential.split('.').slice(0, 3), other.split('.')[3]].join('.')
}

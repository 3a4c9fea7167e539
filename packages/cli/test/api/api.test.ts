import { expect, test } from 'vitest'
import { createApi } from '../../src/api/api.ts'
import { RefusedError, UnreachableError } from '../../src/failure.ts'
import { problem, run, serve } from '../bed.ts'

const KEY = 'a-very-secret-key'
const signal = new AbortController().signal
const apiAt = (apiUrl: string) =>
  createApi(
    { apiUrl, apiKey: KEY, accountKey: 'acme', edgeUrl: undefined, usesDevelopmentKey: false },
    { signal },
  )

test('a listing is read page after page, with the key', async () => {
  await using server = await serve(({ url }) => ({
    status: 200,
    body: url.includes('cursor=two') ? { items: [3] } : { items: [1, 2], next: 'two' },
  }))
  const items: unknown[] = []
  for await (const item of apiAt(server.url).list('/chains')) items.push(item)
  expect(items).toEqual([1, 2, 3])
  expect(server.received.map(({ url }) => url)).toEqual([
    '/v1/accounts/acme/chains?limit=1000',
    '/v1/accounts/acme/chains?limit=1000&cursor=two',
  ])
  expect(server.received[0]?.headers.authorization).toBe(`Bearer ${KEY}`)
})

test('the key does not follow a redirect', async () => {
  await using other = await serve(() => ({ status: 200, body: {} }))
  await using server = await serve(() => ({ status: 302, headers: { location: other.url } }))
  await expect(apiAt(server.url).send({ path: '/chains' })).rejects.toThrow(
    /answered 302, and not as Signalbox does/,
  )
  expect(other.received).toEqual([])
})

test('only what Signalbox says is not there is not there', async () => {
  await using server = await serve(() => problem(404, 'SB_NOT_FOUND'))
  expect(await apiAt(server.url).find('/chains/x')).toBeUndefined()
  await using foreign = await serve(() => ({ status: 404, body: 'not found' }))
  await expect(apiAt(foreign.url).find('/chains/x')).rejects.toThrow(RefusedError)
})

test('a 503 and a foreign 502 may succeed later', async () => {
  await using server = await serve(() => problem(503, 'SB_STORE_UNAVAILABLE', { detail: 'away' }))
  await expect(apiAt(server.url).send({ path: '/x' })).rejects.toMatchObject({
    name: 'UnreachableError',
    message: 'away (SB_STORE_UNAVAILABLE, 503)',
  })
  await using proxy = await serve(() => ({ status: 502, body: '<html>' }))
  await expect(apiAt(proxy.url).send({ path: '/x' })).rejects.toThrow(UnreachableError)
})

const CALL = ['listener-list', '--account', 'acme']
const as = (url: string) => ({ env: { SIGNALBOX_API_URL: url, SIGNALBOX_API_KEY: KEY } })

test('a problem is told with its field errors, one per line, and as it is with --json', async () => {
  const errors = [
    { path: 'limit', message: 'must be a number' },
    { path: 'cursor', message: 'is no\u001b[31m cursor' },
  ]
  const detail = 'the query is not valid: limit: must be a number; cursor: is no\u001b[31m cursor'
  await using server = await serve(() => problem(400, 'SB_INVALID_INPUT', { detail, errors }))
  const { code, stderr } = await run(CALL, as(server.url))
  expect(code).toBe(3)
  expect(stderr).toBe(
    'the query is not valid (SB_INVALID_INPUT, 400)\n' +
      '  limit: must be a number\n  cursor: is no\\u001b[31m cursor\n',
  )
  const asJson = await run([...CALL, '--json'], as(server.url))
  expect(JSON.parse(asJson.stderr)).toMatchObject({
    exit_code: 3,
    error: { code: 'SB_INVALID_INPUT', status: 400, errors },
  })
})

test('a key that is not taken ends with 3 and what to check, without the key', async () => {
  await using server = await serve(() => problem(401, 'SB_UNAUTHENTICATED', { detail: 'no key' }))
  const { code, stderr } = await run(CALL, as(server.url))
  expect(code).toBe(3)
  expect(stderr).toContain('Check --api-key or SIGNALBOX_API_KEY.')
  expect(stderr).not.toContain(KEY)
})

test('an API that is not there ends with 4 and its address', async () => {
  const { code, stderr } = await run(CALL, as('http://127.0.0.1:1'))
  expect(code).toBe(4)
  expect(stderr).toContain('The API at http://127.0.0.1:1 cannot be reached (')
  expect(stderr).not.toContain(KEY)
})

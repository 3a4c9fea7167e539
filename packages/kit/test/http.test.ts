import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  AppError,
  AuthError,
  bearerOf,
  counter,
  createHttpApp,
  createMetrics,
  createReadiness,
  InvalidInputError,
  type Log,
  requireJsonObject,
  silentLog,
  UnavailableError,
} from '../src/index.ts'

const readiness = createReadiness()
const metrics = createMetrics({ withProcessMetrics: false })
const logged: object[] = []
const log: Log = { ...silentLog, error: (fields, message) => logged.push({ ...fields, message }) }

let app: FastifyInstance
let broken: string | undefined
readiness.add('redis', () => broken)

const FAILURES: Record<string, unknown> = {
  input: new InvalidInputError('chain is not valid', {
    code: 'SB_INVALID_CHAIN',
    details: [{ path: 'steps[0].id', message: 'is required' }],
  }),
  auth: new AuthError('SB_UNAUTHENTICATED', 'a key is needed'),
  away: new UnavailableError('Redis cannot be reached', { code: 'SB_STORE_UNAVAILABLE' }),
  ours: new AppError('SB_INTERNAL', 'a broken promise', { retryable: false }),
  bug: new TypeError('secret of the inside'),
  text: 'not even an error',
}

beforeEach(() => {
  logged.length = 0
  broken = undefined
  app = createHttpApp({ maxBodyBytes: 100 }, { log, readiness, metrics })
  app.post('/echo', async (request) => requireJsonObject(request.body))
  app.get<{ Params: { which: string } }>('/fail/:which', async (request) => {
    throw FAILURES[request.params.which]
  })
})
afterEach(() => app.close())

describe('what every process answers', () => {
  test('/healthz: that it is alive', async () => {
    const answer = await app.inject('/healthz')
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toEqual({ status: 'ok' })
  })

  test('/readyz: whether it does its work, and why not', async () => {
    expect((await app.inject('/readyz')).statusCode).toBe(200)
    broken = 'connection refused'
    const answer = await app.inject('/readyz')
    expect(answer.statusCode).toBe(503)
    expect(answer.json()).toEqual({ ready: false, reasons: { redis: 'connection refused' } })
  })

  test('/metrics: its counters in the format of Prometheus', async () => {
    counter(metrics, 'tests_total', 'Tests', ['outcome']).inc({ outcome: 'good' })
    const answer = await app.inject('/metrics')
    expect(answer.headers['content-type']).toContain('text/plain')
    expect(answer.body).toContain('tests_total{outcome="good"} 1')
  })
})

describe('an error is answered as a problem document', () => {
  test.each([
    ['input', 400, 'SB_INVALID_CHAIN', 'chain is not valid'],
    ['auth', 401, 'SB_UNAUTHENTICATED', 'a key is needed'],
    ['away', 503, 'SB_STORE_UNAVAILABLE', 'Redis cannot be reached'],
    ['ours', 500, 'SB_INTERNAL', 'a broken promise'],
  ])('%s: %i %s', async (which, status, code, detail) => {
    const answer = await app.inject(`/fail/${which}`)
    expect(answer.statusCode).toBe(status)
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(answer.json()).toMatchObject({ status, code, detail, title: expect.any(String) })
  })

  test('with the fields that are wrong', async () => {
    const answer = await app.inject('/fail/input')
    expect(answer.json()).toMatchObject({
      errors: [{ path: 'steps[0].id', message: 'is required' }],
    })
    expect((await app.inject('/fail/auth')).json()).not.toHaveProperty('errors')
  })

  test('with what the client needs to go on', async () => {
    expect((await app.inject('/fail/auth')).headers['www-authenticate']).toBe('Bearer')
    expect((await app.inject('/fail/away')).headers['retry-after']).toBe('1')
  })

  test.each(['bug', 'text'])(
    'that shows nothing of an unexpected %s, and logs it',
    async (which) => {
      const answer = await app.inject(`/fail/${which}?token=hidden`)
      expect(answer.statusCode).toBe(500)
      expect(answer.json()).toMatchObject({ code: 'SB_INTERNAL' })
      expect(answer.body).not.toMatch(/secret|inside|not even/)
      expect(logged).toEqual([
        {
          message: 'request.failed',
          err: FAILURES[which],
          method: 'GET',
          path: `/fail/${which}`,
          code: 'SB_INTERNAL',
        },
      ])
    },
  )

  test('and one of the client is not logged', async () => {
    await app.inject('/fail/input')
    expect(logged).toEqual([])
  })
})

describe('a request that does not reach a route', () => {
  const json = { 'content-type': 'application/json' }
  test.each([
    ['of an unknown path', { url: '/nowhere?token=hidden' }, 404, 'SB_NOT_FOUND'],
    ['of another method', { method: 'DELETE', url: '/echo' }, 404, 'SB_NOT_FOUND'],
    ['of a path that cannot be read', { url: '/%zz' }, 400, 'SB_INVALID_INPUT'],
    [
      'with bad JSON',
      { method: 'POST', url: '/echo', headers: json, payload: '{"a":' },
      400,
      'SB_INVALID_JSON',
    ],
    [
      'with nothing where JSON was announced',
      { method: 'POST', url: '/echo', headers: json, payload: '' },
      400,
      'SB_INVALID_INPUT',
    ],
    [
      'with JSON that would poison a prototype',
      { method: 'POST', url: '/echo', headers: json, payload: '{"__proto__":{"a":1}}' },
      400,
      'SB_INVALID_JSON',
    ],
    [
      'with something else than JSON',
      { method: 'POST', url: '/echo', headers: { 'content-type': 'text/xml' }, payload: '<a/>' },
      415,
      'SB_UNSUPPORTED_MEDIA_TYPE',
    ],
    [
      'that is too large',
      { method: 'POST', url: '/echo', headers: json, payload: `"${'x'.repeat(100)}"` },
      413,
      'SB_TOO_LARGE',
    ],
    [
      'whose body is not an object',
      { method: 'POST', url: '/echo', headers: json, payload: '[1]' },
      400,
      'SB_INVALID_INPUT',
    ],
  ] as const)('%s', async (_what, request, status, code) => {
    const answer = await app.inject(request)
    expect(answer.statusCode).toBe(status)
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(answer.json()).toMatchObject({ status, code })
    expect(answer.body).not.toContain('hidden')
  })
})

test.each([
  ['Bearer abc', 'abc'],
  ['bearer  abc', 'abc'],
  ['Basic abc', undefined],
  ['Bearer', undefined],
  ['Bearer a b', undefined],
  [undefined, undefined],
])('the credential of %j is %j', (authorization, expected) => {
  expect(bearerOf({ headers: { ...(authorization && { authorization }) } })).toBe(expected)
})

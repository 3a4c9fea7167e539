import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  AppError,
  AuthError,
  ConfigError,
  ConflictError,
  formatPath,
  InvalidInputError,
  isRetryable,
  NotFoundError,
  parseInput,
  summarise,
  UnavailableError,
} from '../src/index.ts'

describe('each class is a reaction', () => {
  test.each([
    [new InvalidInputError('x'), 'SB_INVALID_INPUT', 400, false],
    [new InvalidInputError('x', { code: 'SB_TOO_LARGE' }), 'SB_TOO_LARGE', 413, false],
    [new UnavailableError('x'), 'SB_UNAVAILABLE', 503, true],
    [
      new UnavailableError('x', { code: 'SB_STORE_UNAVAILABLE' }),
      'SB_STORE_UNAVAILABLE',
      503,
      true,
    ],
    [new ConflictError('x'), 'SB_CONFLICT', 409, false],
    [new NotFoundError('x'), 'SB_NOT_FOUND', 404, false],
    [new AuthError('SB_UNAUTHENTICATED', 'x'), 'SB_UNAUTHENTICATED', 401, false],
    [new AuthError('SB_FORBIDDEN', 'x'), 'SB_FORBIDDEN', 403, false],
    [new ConfigError('x'), 'SB_CONFIG', 500, false],
    [new AppError('SB_EVALUATION', 'x', { retryable: false }), 'SB_EVALUATION', 422, false],
  ])('%o', (error, code, status, retryable) => {
    expect(error).toMatchObject({ code, status, retryable, message: 'x', details: [] })
    expect(error.name).toBe(error.constructor.name)
    expect(isRetryable(error)).toBe(retryable)
  })
})

test('an error keeps its cause, and one without a cause has none', () => {
  const cause = new Error('why')
  expect(new UnavailableError('x', { cause }).cause).toBe(cause)
  expect(new UnavailableError('x')).not.toHaveProperty('cause')
})

test('an error that is not ours is not retryable', () => {
  expect(isRetryable(new Error('x'))).toBe(false)
  expect(isRetryable({ retryable: true })).toBe(false)
})

test.each([
  [[], ''],
  [['a'], 'a'],
  [['steps', 1, 'config', 'to'], 'steps[1].config.to'],
  [[0, 'a', 2, 3], '[0].a[2][3]'],
])('the path %j reads %j', (path, text) => {
  expect(formatPath(path)).toBe(text)
})

test('a summary names the first five faults and counts the rest', () => {
  const details = Array.from({ length: 7 }, (_, index) => ({ path: `f${index}`, message: 'bad' }))
  expect(summarise(details)).toBe('f0: bad; f1: bad; f2: bad; f3: bad; f4: bad; and 2 more')
  expect(summarise([{ path: '', message: 'must be an object' }])).toBe('must be an object')
})

test('input that does not fit is an error that says what, where and why', () => {
  const schema = z.strictObject({ steps: z.array(z.strictObject({ id: z.string() })) })
  expect(parseInput(schema, { steps: [{ id: 'a' }] }, 'chain')).toEqual({ steps: [{ id: 'a' }] })
  expect(() => parseInput(schema, { steps: [{}] }, 'chain', 'SB_INVALID_CHAIN')).toThrow(
    expect.objectContaining({
      code: 'SB_INVALID_CHAIN',
      message: 'chain is not valid: steps[0].id: is required',
      details: [{ path: 'steps[0].id', message: 'is required' }],
    }),
  )
})

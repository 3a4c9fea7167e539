import { describe, expect, test } from 'vitest'
import {
  jsonObjectSchema,
  jsonSchema,
  keySchema,
  LIMITS,
  messageIdSchema,
  nameSchema,
  timestampSchema,
} from '../src/index.ts'

describe('a name', () => {
  test.each(['a', 'poll_complete', 'A-Z_09', 'x'.repeat(64)])('may be %j', (name) => {
    expect(nameSchema.safeParse(name).success).toBe(true)
  })
  test.each(['', 'x'.repeat(65), 'a b', 'a.b', 'a*', '#', 'é', 'a\n', null, 5])(
    'may not be %j, which would break routing keys or say nothing',
    (name) => {
      expect(nameSchema.safeParse(name).success).toBe(false)
    },
  )
})

describe('a key', () => {
  test.each([
    'a',
    '+27820000001',
    'person@example.org',
    'a.b/c:d#e',
    '名前',
    '😀',
    '😀'.repeat(128),
  ])('may be %j', (key) => {
    expect(keySchema.safeParse(key).success).toBe(true)
  })
  test.each([
    ['nothing', ''],
    ['more than 128 characters', 'x'.repeat(129)],
    ['a space', 'a b'],
    ['a space of another script', 'a\u3000b'],
    ['a no-break space', 'a\u00a0b'],
    ['a line end', 'a\n'],
    ['a control character', 'a\u0000b'],
    ['an invisible format character', 'a\u200bb'],
    ['half a surrogate pair', 'a\ud800b'],
    ['a number', 5],
  ])('may not have %s', (_what, key) => {
    expect(keySchema.safeParse(key).success).toBe(false)
  })
})

test('a message id fits the 255 bytes that AMQP gives it', () => {
  expect(messageIdSchema.safeParse('x'.repeat(128)).success).toBe(true)
  expect(messageIdSchema.safeParse('é'.repeat(127)).success).toBe(true)
  expect(messageIdSchema.safeParse('名'.repeat(86)).error?.issues[0]?.message).toBe(
    'must be at most 255 bytes of UTF-8',
  )
})

describe('a timestamp', () => {
  test.each(['2026-01-31T09:30:00Z', '2026-01-31T09:30:00.1Z', '2026-01-31T09:30:00.123456Z'])(
    'may be %s',
    (text) => {
      expect(timestampSchema.safeParse(text).success).toBe(true)
    },
  )
  test.each([
    '2026-01-31T09:30:00+02:00',
    '2026-01-31T09:30:00',
    '2026-01-31 09:30:00Z',
    '2026-02-30T09:30:00Z',
    '2026-01-31',
    'now',
    1_769_851_800_000,
  ])('may not be %j', (text) => {
    expect(timestampSchema.safeParse(text).success).toBe(false)
  })
})

describe('JSON', () => {
  const nested = (depth: number): unknown => {
    let value: unknown = 'end'
    for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { value }
    return value
  }

  test.each([null, true, 1.5, '', [], {}, [{ a: [null, 'b', { c: 1 }] }]])('may be %j', (value) => {
    expect(jsonSchema.safeParse(value).success).toBe(true)
  })

  test.each([
    ['undefined', undefined],
    ['undefined within', [undefined]],
    ['NaN', Number.NaN],
    ['infinity', { a: Number.POSITIVE_INFINITY }],
    ['a bigint', 1n],
    ['a function', { a: () => 1 }],
    ['a date', new Date(0)],
    ['a map, which would arrive as {}', { a: new Map([['b', 1]]) }],
  ])('may not be %s', (_what, value) => {
    expect(jsonSchema.safeParse(value).success).toBe(false)
  })

  test('is nested at most so deep, and refusing what is deeper costs no stack', () => {
    expect(jsonSchema.safeParse(nested(LIMITS.maxJsonDepth)).success).toBe(true)
    expect(jsonSchema.safeParse(nested(LIMITS.maxJsonDepth + 1)).success).toBe(false)
    const outcome = jsonObjectSchema.safeParse({ a: nested(100_000) })
    expect(outcome.error?.issues).toEqual([
      expect.objectContaining({ path: ['a'], message: 'must be JSON, nested at most 64 deep' }),
    ])
  })

  test('keeps the value itself', () => {
    const value = { a: [1, { b: 'c' }], d: null }
    expect(jsonObjectSchema.parse(value)).toEqual(value)
  })
})

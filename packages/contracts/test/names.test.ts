import { expect, test } from 'vitest'
import { jsonObjectSchema, jsonSchema, LIMITS } from '../src/index.ts'

const nested = (depth: number): unknown => {
  let value: unknown = 'end'
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { value }
  return value
}

test.each([
  ['null', null],
  ['text', 'text'],
  ['zero', 0],
  ['an object of everything', { a: [1, 'x', true, null, {}], b: {} }],
  ['the deepest that may be', nested(LIMITS.maxJsonDepth)],
])('%s is JSON', (_case, value) => {
  expect(jsonSchema.parse(value)).toEqual(value)
})

test.each([
  ['nothing', undefined],
  ['a number without end', { a: [Number.POSITIVE_INFINITY] }],
  ['nothing in an array', [undefined]],
  ['a function', { a: () => 1 }],
  ['one level too many', nested(LIMITS.maxJsonDepth + 1)],
  ['what would overflow a stack', nested(100_000)],
])('%s is not JSON', (_case, value) => {
  expect(jsonSchema.safeParse(value).error?.issues).toEqual([
    { code: 'custom', path: [], message: 'must be JSON, nested at most 64 deep' },
  ])
})

test('the field of an object that is no JSON is named', () => {
  const outcome = jsonObjectSchema.safeParse({ good: 1, bad: Number.NaN })
  expect(outcome.error?.issues.map((issue) => issue.path)).toEqual([['bad']])
})

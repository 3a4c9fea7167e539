import type { Json } from '@signalbox/contracts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { differenceOf } from '../src/difference.ts'

const difference = (sent: Json, got: Json | undefined) => differenceOf(sent, got, 'context')

test.each<[string, Json, Json | undefined, string]>([
  ['another number', { a: [1, 2] }, { a: [1, 3] }, 'context.a[1]: 2 came back as 3'],
  ['a number as text', { a: 1 }, { a: '1' }, 'context.a: 1 came back as "1"'],
  ['a field that is gone', { a: { b: 1 } }, { a: {} }, 'context.a.b did not come back'],
  ['a field that is new', { a: {} }, { a: { b: 1 } }, 'context.a.b was not sent'],
  ['a list as an object', { a: [] }, { a: {} }, 'context.a: [] came back as {}'],
  ['null for an object', { a: {} }, { a: null }, 'context.a: {} came back as null'],
  ['a longer list', [1], [1, 2], 'context.1 was not sent'],
  ['nothing at all', {}, undefined, 'context: {} came back as nothing'],
])('tells %s, and where', (_case, sent, got, expected) => {
  expect(difference(sent, got)).toBe(expected)
})

test('shows long values by their beginning', () => {
  expect(difference('x'.repeat(1_000), '')).toBe(`context: "${'x'.repeat(79)}… came back as ""`)
})

test('finds none in what was written and read again, and one in whatever was changed', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const sent = JSON.parse(JSON.stringify(value)) as Json
      expect(difference(sent, JSON.parse(JSON.stringify(sent)) as Json)).toBeUndefined()
      expect(difference([sent], [[sent]])).toBeDefined()
    }),
  )
})

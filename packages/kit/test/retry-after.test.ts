import { expect, test } from 'vitest'
import { retryAfterMs } from '../src/retry-after.ts'

const NOW_MS = Date.UTC(2026, 0, 31, 9, 30, 0)

test.each([
  ['120', 120_000],
  [' 0 ', 0],
  ['Sat, 31 Jan 2026 09:31:30 GMT', 90_000],
  ['Saturday, 31-Jan-26 09:30:05 GMT', 5_000],
  ['Fri, 30 Jan 2026 09:30:00 GMT', 0],
  ['', undefined],
  [undefined, undefined],
  ['-1', undefined],
  ['1.5', undefined],
  ['soon', undefined],
  ['2026', 2_026_000],
  ['Someday, whenever GMT', undefined],
])('Retry-After: %s', (value, expected) => {
  expect(retryAfterMs(value, NOW_MS)).toBe(expected)
})

import { expect, test } from 'vitest'
import { durationMsOf, formatMs } from '../../src/loadtest/duration.ts'

test.each([
  ['500ms', 500],
  ['10s', 10_000],
  ['1.5s', 1_500],
  ['2m', 120_000],
  ['0s', 0],
])('%s is %i ms', (text, ms) => {
  expect(durationMsOf(text)).toBe(ms)
})

test.each(['', '10', 's', '-1s', '1 s', '1h', '1e3ms', '.5s'])('"%s" is no duration', (text) => {
  expect(durationMsOf(text)).toBeUndefined()
})

test.each([
  [0.26, '0.3 ms'],
  [250, '250 ms'],
  [1_500, '1.5 s'],
  [90_000, '90 s'],
])('%d ms reads %s', (ms, text) => {
  expect(formatMs(ms)).toBe(text)
})

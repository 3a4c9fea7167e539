import { expect, test } from 'vitest'
import { printable, shortened } from '../src/printable.ts'

test('what would steer a terminal is shown as an escape', () => {
  expect(printable('a\u001b[2Jb\u009b1mc\r\u202ed\n')).toBe(
    'a\\u001b[2Jb\\u009b1mc\\u000d\\u202ed\\u000a',
  )
  expect(printable('ünïcode 👍 stays')).toBe('ünïcode 👍 stays')
})

test('a text that is cut says so', () => {
  expect(shortened('abcdef', 6)).toBe('abcdef')
  expect(shortened('abc def', 5)).toBe('abc…')
})

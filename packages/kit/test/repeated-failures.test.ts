import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createRepeatedFailures, silentLog } from '../src/index.ts'

let lines: object[]
const tellFailure = () =>
  createRepeatedFailures(
    { ...silentLog, error: (fields, message) => lines.push({ ...fields, message }) },
    { intervalMs: 1_000 },
  )

beforeEach(() => {
  lines = []
  vi.useFakeTimers()
})
afterEach(() => void vi.useRealTimers())

test('a failure is told at once, what repeats it is counted and told with the last', () => {
  const tell = tellFailure()
  for (let number = 0; number < 100; number++) tell('away', { number }, 'request.failed')
  expect(lines).toEqual([{ number: 0, message: 'request.failed' }])
  vi.advanceTimersByTime(1_000)
  expect(lines.slice(1)).toEqual([{ number: 99, repeated: 99, message: 'request.failed' }])
})

test('an outage of thirty intervals writes a line for each, not for each failure', () => {
  const tell = tellFailure()
  for (let number = 0; number < 3_000; number++) {
    tell('away', { number }, 'request.failed')
    vi.advanceTimersByTime(10)
  }
  expect(lines.length).toBeLessThanOrEqual(31)
  const repeated = lines.map((line) => (line as { repeated?: number }).repeated ?? 1)
  expect(repeated.reduce((sum, count) => sum + count)).toBe(3_000)
})

test('kinds are counted apart, and a failure after a quiet interval is told at once', () => {
  const tell = tellFailure()
  tell('away', {}, 'a')
  tell('slow', {}, 'b')
  vi.advanceTimersByTime(1_000)
  tell('away', {}, 'a')
  expect(lines).toEqual([{ message: 'a' }, { message: 'b' }, { message: 'a' }])
})

test('beyond a hundred kinds nothing is remembered, and nothing is kept from the log', () => {
  const tell = tellFailure()
  for (let kind = 0; kind < 101; kind++) tell(`kind-${kind}`, {}, 'x')
  tell('kind-100', {}, 'x')
  tell('kind-0', {}, 'x')
  expect(lines).toHaveLength(102)
})

import { expect, test } from 'vitest'
import { createLineTail } from '../src/line-tail.ts'

test('lines are put together from chunks that are cut anywhere, even within a character', () => {
  const tail = createLineTail()
  for (const byte of Buffer.from('grün\nblau')) tail.push(Uint8Array.of(byte))
  expect(tail.text()).toBe('grün\nblau')
})

test('only the last 200 lines are kept, and of a long line its beginning', () => {
  const tail = createLineTail()
  for (let line = 1; line <= 1_000; line++) tail.push(Buffer.from(`line ${line}\n`))
  tail.push(Buffer.from(`${'x'.repeat(10_000)}\n`))
  const lines = tail.text().split('\n')
  expect(lines).toHaveLength(200)
  expect(lines[0]).toBe('line 802')
  expect(lines[199]).toBe('x'.repeat(2_000))
})

test('a line that never ends takes no more room than a long one', () => {
  const tail = createLineTail()
  for (let chunk = 0; chunk < 100; chunk++) tail.push(Buffer.from('y'.repeat(1_000)))
  expect(tail.text()).toBe('y'.repeat(2_000))
})

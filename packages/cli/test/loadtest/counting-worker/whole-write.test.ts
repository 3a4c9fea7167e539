import { expect, test } from 'vitest'
import { writeWhole } from '../../../src/loadtest/counting-worker/whole-write.ts'

const fault = (code: string) => Object.assign(new Error(code), { code })

test('a text is written whole although its reader is behind', () => {
  const room = [3, 0, 2, 0, 0, 100]
  let written = ''
  let pauses = 0
  writeWhole('a line\n', {
    write(bytes) {
      const size = room.shift()
      if (!size) throw fault('EAGAIN')
      const taken = bytes.subarray(0, size)
      written += Buffer.from(taken).toString()
      return taken.length
    },
    pause: () => {
      pauses += 1
    },
  })
  expect(written).toBe('a line\n')
  expect(pauses).toBe(3)
})

test('a pipe without a reader is an error', () => {
  const write = () => {
    throw fault('EPIPE')
  }
  expect(() => writeWhole('a line\n', { write, pause: () => undefined })).toThrow('EPIPE')
})

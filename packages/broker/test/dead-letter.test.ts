import { deadLetterSchema } from '@signalbox/contracts'
import { describe, expect, it } from 'vitest'
import { deadLetterOf } from '../src/dead-letter.ts'
import { unreadable } from './fixtures.ts'

const from = (body: Buffer | string) => ({
  exchange: 'signalbox.events',
  routingKey: 'a.b.c',
  body: Buffer.from(body),
})

describe('deadLetterOf', () => {
  it('shows a JSON body as JSON, with where it came from', () => {
    const letter = deadLetterOf(from('{"a":1}'), unreadable, Date.UTC(2026, 0, 31))
    expect(deadLetterSchema.parse(letter)).toMatchObject({
      ...unreadable,
      at: '2026-01-31T00:00:00.000Z',
      exchange: 'signalbox.events',
      routing_key: 'a.b.c',
      body: { json: { a: 1 } },
    })
  })

  it('keeps every byte of a body that is no JSON, or not even text', () => {
    for (const bytes of [Buffer.from('{"a":'), Buffer.from([0xff, 0xfe, 0x00])]) {
      expect(deadLetterOf(from(bytes), unreadable).body).toEqual({
        base64: bytes.toString('base64'),
      })
    }
  })

  it('has the same identity for the same failure of the same message, and another for another', () => {
    const id = deadLetterOf(from('{}'), unreadable, 1).dead_letter_id
    expect(deadLetterOf(from('{}'), unreadable, 2).dead_letter_id).toBe(id)
    expect(deadLetterOf(from('[]'), unreadable, 1).dead_letter_id).not.toBe(id)
    const other = { ...unreadable, code: 'SB_HOP_LIMIT' }
    expect(deadLetterOf(from('{}'), other, 1).dead_letter_id).not.toBe(id)
  })
})

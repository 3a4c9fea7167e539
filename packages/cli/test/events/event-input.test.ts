import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { batchesOf, eventsOfText, outgoingEvents } from '../../src/events/event-input.ts'
import { InputError } from '../../src/failure.ts'

const EVENT = {
  conversation_key: 'spring',
  conversation_type: 'poll',
  event_type: 'poll_complete',
  event_data: {},
}

test('a file holds one event, an array, or one per line', () => {
  expect(eventsOfText('{\n "a": 1\n}', 'f')).toEqual([{ a: 1 }])
  expect(eventsOfText('[{"a":1},{"a":2}]', 'f')).toEqual([{ a: 1 }, { a: 2 }])
  expect(eventsOfText('{"a":1}\n\n{"a":2}\r\n', 'f')).toEqual([{ a: 1 }, { a: 2 }])
})

test.each([
  ['\n \n', 'f is empty'],
  ['{\n "a": \n}', 'f is neither JSON nor JSON lines: '],
  ['{"a":1}\n{"a":\n', 'f, line 2 is not JSON: '],
])('%j is refused', (text, message) => {
  expect(() => eventsOfText(text, 'f')).toThrow(InputError)
  expect(() => eventsOfText(text, 'f')).toThrow(message)
})

describe('before anything is sent', () => {
  test('each event gets an identity, so that sending it again is no second event', () => {
    const [first, second] = outgoingEvents([EVENT, { ...EVENT, event_id: 'mine' }], 'acme', 'f')
    expect(first).toMatchObject({ ...EVENT, event_id: expect.stringMatching(/^[0-9a-f-]{36}$/) })
    expect(second?.event_id).toBe('mine')
  })

  test('a CloudEvent stays as it is', () => {
    const cloudEvent = { specversion: '1.0', id: '1', source: '/a', type: 'b.c' }
    expect(outgoingEvents([cloudEvent], 'acme', 'f')).toEqual([cloudEvent])
  })

  test('every fault of every event is told with its place', () => {
    const bad = [EVENT, { ...EVENT, event_data: 7 }, 'x', { ...EVENT, event_type: undefined }]
    const error = fault(() => outgoingEvents(bad, 'acme', 'f'))
    expect(error.faults.map(({ path }) => path)).toEqual([
      '[1].event_data',
      '[2]',
      '[3].event_type',
    ])
  })
})

test('batches have all events in order, and none is too large or has too many', () => {
  const limits = { maxEvents: 5, maxBytes: 200 }
  fc.assert(
    fc.property(fc.array(fc.record({ fill: fc.string({ maxLength: 80 }) })), (events) => {
      const batches = batchesOf(events, limits)
      expect(batches.flat()).toEqual(events)
      for (const batch of batches) {
        expect(batch.length).toBeGreaterThan(0)
        expect(batch.length).toBeLessThanOrEqual(5)
        // The bracket at its beginning is not counted.
        const bytes = Buffer.byteLength(JSON.stringify(batch)) - 1
        if (batch.length > 1) expect(bytes).toBeLessThanOrEqual(limits.maxBytes)
      }
    }),
  )
  expect(batchesOf([{ fill: 'x'.repeat(300) }, { a: 1 }], limits)).toHaveLength(2)
})

function fault(act: () => unknown): InputError {
  try {
    act()
  } catch (error) {
    if (error instanceof InputError) return error
    throw error
  }
  throw new Error('nothing was wrong')
}

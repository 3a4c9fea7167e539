import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLedger } from '../../src/loadtest/ledger.ts'

const all = () => true

test('an event that arrives twice is repeated, one without a number of the run is unknown', () => {
  const ledger = createLedger({ events: 2, conversations: 1 })
  expect([0, 0, 2, -1, Number.NaN].map((index) => ledger.arrive(index))).toEqual([
    'first',
    'repeated',
    'unknown',
    'unknown',
    'unknown',
  ])
  expect(ledger).toMatchObject({ arrived: 1, repeated: 1, reordered: 0 })
})

test('an event is reordered when a later one of its conversation came before it', () => {
  const ledger = createLedger({ events: 6, conversations: 2 })
  // Conversation 0 has the events 0, 2, 4; conversation 1 has 1, 3, 5.
  for (const index of [1, 0, 4, 3, 2, 5]) ledger.arrive(index)
  expect(ledger.reordered).toBe(1)
})

test('what is missing within an era is lost, what is missing around its end was missed', () => {
  const ledger = createLedger({ events: 6, conversations: 1 })
  ledger.arrive(0, 1)
  ledger.arrive(2, 1)
  ledger.arrive(4, 2)
  expect(ledger.missing(all, () => 2)).toEqual({ lost: [1, 5], missed: [3] })
  expect(ledger.missing(all, () => 3)).toEqual({ lost: [1], missed: [3, 5] })
})

test('only what is expected can be missing', () => {
  const ledger = createLedger({ events: 4, conversations: 2 })
  expect(ledger.missing((index) => index === 3)).toEqual({ lost: [3], missed: [] })
})

test('without breaks exactly the events that did not arrive are lost, in whatever order they came', () => {
  const events = 40
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: events - 1 })),
      fc.integer({ min: 1, max: 5 }),
      (arrivals, conversations) => {
        const ledger = createLedger({ events, conversations })
        for (const index of arrivals) ledger.arrive(index)
        const distinct = new Set(arrivals)
        const absent = Array.from({ length: events }, (_, index) => index).filter(
          (index) => !distinct.has(index),
        )
        expect(ledger.missing(all)).toEqual({ lost: absent, missed: [] })
        expect(ledger.arrived).toBe(distinct.size)
        expect(ledger.repeated).toBe(arrivals.length - distinct.size)
      },
    ),
  )
})

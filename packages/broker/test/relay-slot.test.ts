import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RELAY_SLOTS, relaySlotOf, slotsOf } from '../src/relay-slot.ts'

const key = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' })
const subject = fc.record(
  { account_key: key, conversation_key: key, person_key: key },
  { requiredKeys: ['account_key', 'conversation_key'] },
)

describe('the relay slot of an event', () => {
  it('is one of sixteen, and that of the person whatever the conversation', () => {
    fc.assert(
      fc.property(subject, key, (event, conversation) => {
        const slot = relaySlotOf(event)
        expect(Number.isInteger(slot) && slot >= 0 && slot < RELAY_SLOTS).toBe(true)
        const elsewhere = { ...event, conversation_key: conversation }
        if (event.person_key !== undefined) expect(relaySlotOf(elsewhere)).toBe(slot)
      }),
    )
  })

  it('is what the documentation tells foreign publishers', () => {
    // Of Python: zlib.crc32("demo/p1".encode()) % 16, and of "demo//spring-poll", and of "demo/žofie".
    const about = { account_key: 'demo', conversation_key: 'spring-poll' }
    expect(relaySlotOf({ ...about, person_key: 'p1' })).toBe(9)
    expect(relaySlotOf(about)).toBe(11)
    expect(relaySlotOf({ ...about, person_key: 'žofie' })).toBe(15)
  })

  it('spreads persons evenly', () => {
    const counts = new Array<number>(RELAY_SLOTS).fill(0)
    for (let person = 0; person < 16_000; person++) {
      const event = { account_key: 'demo', conversation_key: 'c', person_key: `person-${person}` }
      counts[relaySlotOf(event)]! += 1
    }
    expect(Math.min(...counts)).toBeGreaterThan(800)
    expect(Math.max(...counts)).toBeLessThan(1_200)
  })
})

describe('the slots of the partitions', () => {
  it('are all sixteen, each once, and no partition of up to sixteen is without one', () => {
    for (let partitions = 1; partitions <= RELAY_SLOTS; partitions++) {
      const shares = Array.from({ length: partitions }, (_, index) => slotsOf(index, partitions))
      expect(shares.flat().toSorted((a, b) => a - b)).toEqual(slotsOf(0, 1))
      const sizes = shares.map(({ length }) => length)
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
    }
  })
})

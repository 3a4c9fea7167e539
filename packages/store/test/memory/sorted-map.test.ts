import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SortedMap } from '../../src/memory/sorted-map.ts'

const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))
const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 })

describe('a sorted map', () => {
  it('has its keys in the order of their UTF-8 bytes, whatever is set and deleted', () => {
    const change = fc.record({ key, isSet: fc.boolean() })
    const agrees = fc.property(fc.array(change), key, (changes, after) => {
      const map = new SortedMap<number>()
      const model = new Map<string, number>()
      for (const [index, { key: name, isSet }] of changes.entries()) {
        if (isSet) map.set(name, index)
        else expect(map.delete(name)).toBe(model.has(name))
        if (isSet) model.set(name, index)
        else model.delete(name)
      }
      const sorted = [...model].sort(([a], [b]) => byBytes(a, b))
      expect(map.entriesAfter(undefined, 1_000)).toEqual(sorted)
      expect(map.entriesAfter(after, 2)).toEqual(
        sorted.filter(([name]) => byBytes(name, after) > 0).slice(0, 2),
      )
    })
    fc.assert(agrees)
  })
})

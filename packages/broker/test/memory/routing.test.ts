import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { routingKeyTest } from '../../src/memory/routing.ts'

/** The definition, read aloud; exponential in the number of `#`. */
function matches(pattern: string[], words: string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return words.length === 0
  if (first === '#') {
    return matches(rest, words) || (words.length > 0 && matches(pattern, words.slice(1)))
  }
  return words.length > 0 && (first === '*' || first === words[0]) && matches(rest, words.slice(1))
}

describe('routingKeyTest', () => {
  it('agrees with the definition of a topic for every pattern and key', () => {
    const pattern = fc.array(fc.constantFrom('a', 'b', '*', '#'), { minLength: 1, maxLength: 6 })
    const words = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 7 })
    fc.assert(
      fc.property(pattern, words, (parts, key) => {
        const accepts = routingKeyTest('topic', parts.join('.'))
        expect(accepts(key.join('.'))).toBe(matches(parts, key))
      }),
      { numRuns: 1_000 },
    )
  })

  it('takes only the same key on a direct exchange', () => {
    const accepts = routingKeyTest('direct', 'a.*')
    expect([accepts('a.*'), accepts('a.b')]).toEqual([true, false])
  })

  it('takes every key on a fanout exchange', () => {
    expect(routingKeyTest('fanout', '')('any.key')).toBe(true)
  })
})

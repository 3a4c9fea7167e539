import { describe, expect, it } from 'vitest'
import { createPacing } from '../../src/redis/pacing.ts'

describe('the pacing of what is looked for', () => {
  it('gives an account a turn at first, after 64 writes, and after a second', () => {
    let nowMs = 0
    const isTurn = createPacing(() => nowMs)
    expect(isTurn('a', 1)).toBe(true)
    expect(isTurn('a', 63)).toBe(false)
    expect(isTurn('a', 1)).toBe(true)
    nowMs = 999
    expect(isTurn('a', 1)).toBe(false)
    nowMs = 1_000
    expect(isTurn('a', 1)).toBe(true)
  })

  it('counts each account by itself', () => {
    const isTurn = createPacing(() => 0)
    expect([isTurn('a', 64), isTurn('b', 1), isTurn('a', 1), isTurn('b', 64)]).toEqual([
      true,
      true,
      false,
      true,
    ])
  })
})

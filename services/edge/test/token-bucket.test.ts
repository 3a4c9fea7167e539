import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TokenBucket } from '../src/token-bucket.ts'

describe('a token bucket', () => {
  it('lets a burst pass, then the rate', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, 0)
    const takenAt = (nowMs: number) => bucket.takeIfThere(nowMs)
    expect([0, 0, 0, 0, 99, 100, 100, 199, 200].map(takenAt)).toEqual([
      true,
      true,
      true,
      false,
      false,
      true,
      false,
      false,
      true,
    ])
  })

  it('never lets more pass than the burst and the rate allow, however it is asked', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 200 }),
        (perSecond, burst, pausesMs) => {
          const bucket = new TokenBucket({ perSecond, burst }, 0)
          let nowMs = 0
          let passed = 0
          for (const pauseMs of pausesMs) {
            nowMs += pauseMs
            if (bucket.takeIfThere(nowMs)) passed++
            expect(passed).toBeLessThanOrEqual(burst + (nowMs / 1_000) * perSecond + 1e-6)
          }
        },
      ),
    )
  })

  it('may be overdrawn to a depth, and is filled from there', () => {
    const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, 0)
    expect([0, 0, 0, 0, 0].map((nowMs) => bucket.take(nowMs, 2))).toEqual([0, -1, -2, -2, -2])
    expect(bucket.take(4_000)).toBe(0)
    expect(bucket.atMs).toBe(4_000)
  })

  it('has no limit at a rate of 0', () => {
    const bucket = new TokenBucket({ perSecond: 0, burst: 0 }, 0)
    expect([bucket.take(0), bucket.take(0), bucket.takeIfThere(0)]).toEqual([0, 0, true])
  })
})

import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Line } from '../src/line.ts'

const OPTIONS = { maxWaitMs: 250, maxWaiting: 10, maxAwayMs: 3_600_000 }
const PACE = { maxConcurrent: 4, ratePerSecond: Number.POSITIVE_INFINITY }

afterEach(() => {
  vi.useRealTimers()
})

function lineOf(durationMs?: number): Line {
  const line = new Line(OPTIONS)
  if (durationMs !== undefined) line.observe(0, durationMs)
  return line
}

describe('waiting in this process', () => {
  it('is for the line of a quick endpoint, in the order in which they came', async () => {
    const line = lineOf(2)
    const told: number[] = []
    const waiting = [1, 2].map(async (name) => {
      expect(await line.wait(0, PACE)).toBe(true)
      told.push(name)
    })
    line.free()
    line.free()
    await Promise.all(waiting)
    expect(told).toEqual([1, 2])
    expect(line.waiting).toBe(0)
  })

  it('is refused before a slow endpoint, and when as many as may wait do', async () => {
    expect(await lineOf(2_000).wait(0, PACE)).toBe(false)
    const line = lineOf(1)
    const waiting = Array.from({ length: OPTIONS.maxWaiting }, () => line.wait(0, PACE))
    expect(await line.wait(0, PACE)).toBe(false)
    for (const _ of waiting) line.free()
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => true))
  })

  it('is refused where the rate makes it long, however quick the endpoint is', async () => {
    expect(await lineOf(1).wait(0, { ...PACE, ratePerSecond: 1 })).toBe(false)
  })

  it('ends after its time when the line does not move', async () => {
    vi.useFakeTimers()
    const line = lineOf(2)
    const waited = line.wait(0, PACE)
    vi.advanceTimersByTime(OPTIONS.maxWaitMs)
    expect(await waited).toBe(false)
    expect(line.waiting).toBe(0)
  })
})

describe('the pace of a line', () => {
  it('is how fast places become free, whatever a few that hang do to the average', async () => {
    const line = lineOf()
    const waiting = line.wait(0, PACE)
    // One place in turn, every 5 ms; the others hang, and end together now and then.
    for (let nowMs = 5; nowMs <= 5 * 64; nowMs += 5) {
      line.observe(nowMs, nowMs % 100 === 0 ? 15_000 : 5)
    }
    const times = [0, 1, 2].map(() =>
      line.book(400, { floorMs: 1_000, deferrals: 0, pace: PACE }, 0.5),
    )
    expect(times).toEqual([1_000, 1_005, 1_010])
    line.free()
    expect(await waiting).toBe(true)
  })

  it('counts no time in which nobody wanted a place', async () => {
    const line = lineOf()
    for (let index = 1; index <= 64; index += 1) {
      const nowMs = index * 10_000
      const waiting = line.wait(nowMs, PACE)
      line.free()
      await waiting
      line.observe(nowMs + 3, 3)
    }
    const book = () => line.book(0, { floorMs: 0, deferrals: 0, pace: PACE }, 0.5)
    expect([book(), book()]).toEqual([0, 3])
  })
})

describe('the book of who is sent away', () => {
  const book = (line: Line, deferrals = 0, nowMs = 0) =>
    line.book(nowMs, { floorMs: 1_000, deferrals, pace: PACE }, 0.5)

  it('gives each the place after the one before, as far apart as the endpoint takes them', () => {
    const line = lineOf(400)
    expect([book(line), book(line), book(line)]).toEqual([1_000, 1_100, 1_200])
  })

  it('asks who was sent away before to come sooner, and nobody before the floor', () => {
    const line = lineOf(4_000)
    for (let count = 0; count < 99; count += 1) book(line)
    expect(book(line, 0)).toBe(100_000)
    expect(book(line, 1)).toBe(50_500)
    expect(book(line, 1_000)).toBe(1_000)
  })

  it('is empty again when its time is over', () => {
    const line = lineOf(400)
    for (let count = 0; count < 100; count += 1) book(line)
    expect(line.isIdle(0)).toBe(false)
    expect(line.isIdle(20_000)).toBe(true)
    expect(book(line, 0, 20_000)).toBe(1_000)
  })

  it('lets 100,000 before a slow endpoint come back slowly: few of them in any second, and all within the bound', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_000, max: 15_000 }), fc.gen(), (durationMs, gen) => {
        const line = lineOf(durationMs)
        const perSecond = new Map<number, number>()
        for (let count = 0; count < 20_000; count += 1) {
          const random = gen(fc.nat, { max: 1_000 }) / 1_000
          const awayMs = line.book(0, { floorMs: 1_000, deferrals: 0, pace: PACE }, random)
          expect(awayMs).toBeGreaterThanOrEqual(1_000)
          expect(awayMs).toBeLessThanOrEqual(OPTIONS.maxAwayMs)
          const second = Math.floor(awayMs / 1_000)
          perSecond.set(second, (perSecond.get(second) ?? 0) + 1)
        }
        expect(perSecond.size).toBeGreaterThan(100)
      }),
      { numRuns: 3 },
    )
  })
})

import { expect, test } from 'vitest'
import { createTimeline } from '../../src/loadtest/timeline.ts'

test('each second has its counts and its percentile; one in which nothing was seen has none', () => {
  const timeline = createTimeline()
  timeline.record('handled', -3, 10)
  timeline.record('handled', 900, 30)
  timeline.record('confirmed', 2_100, 5)
  const seconds = timeline.seconds()
  expect(seconds.map(({ second, counts }) => [second, counts.handled, counts.confirmed])).toEqual([
    [0, 2, 0],
    [1, 0, 0],
    [2, 0, 1],
  ])
  expect(seconds[0]?.p99Ms.handled).toBeCloseTo(30, 0)
  expect(seconds[1]?.p99Ms).toEqual({})
  expect(seconds[2]?.p99Ms.confirmed).toBeCloseTo(5, 0)
})

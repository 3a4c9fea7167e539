import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { dueMs, pace } from '../../src/loadtest/pacing.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const signal = new AbortController().signal

test('every event is sent in order, none before it is due', async () => {
  const startMs = Date.now() + 50
  const sent: [number, number][] = []
  const done = pace(
    { rate: 100, events: 20, startMs },
    { nowMs: Date.now, send: (index) => sent.push([index, Date.now()]), signal },
  )
  await vi.advanceTimersByTimeAsync(300)
  await done
  expect(sent.map(([index]) => index)).toEqual(Array.from({ length: 20 }, (_, index) => index))
  for (const [index, atMs] of sent) {
    expect(atMs - dueMs({ rate: 100, startMs }, index)).toBeGreaterThanOrEqual(0)
  }
})

test('a process that was held up sends all that is due at once, and does not shift the rest', async () => {
  const startMs = Date.now()
  let nowMs = startMs
  const sent: number[] = []
  void pace(
    { rate: 1_000, events: 1_000, startMs },
    { nowMs: () => nowMs, send: (index) => sent.push(index), signal },
  )
  nowMs += 500
  await vi.advanceTimersToNextTimerAsync()
  expect(sent).toHaveLength(501)
})

test('it ends early when it is told to', async () => {
  const stopping = new AbortController()
  const sent: number[] = []
  const done = pace(
    { rate: 1_000, events: 100, startMs: Date.now() },
    {
      nowMs: Date.now,
      send: (index) => {
        sent.push(index)
        if (index === 10) stopping.abort()
      },
      signal: stopping.signal,
    },
  )
  await vi.advanceTimersByTimeAsync(200)
  await done
  expect(sent.at(-1)).toBe(10)
})

import { InvalidInputError, UnavailableError } from '@signalbox/kit'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { whileUnavailable } from '../src/patience.ts'

const away = new UnavailableError('away')

describe('whileUnavailable', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('tries until it is there, and resolves to what came', async () => {
    const attempt = vi.fn(async () => 'there')
    attempt.mockRejectedValueOnce(away).mockRejectedValueOnce(away)
    const outcome = whileUnavailable(attempt, { patienceMs: 10_000 })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await outcome).toBe('there')
    expect(attempt).toHaveBeenCalledTimes(3)
  })

  test('throws the last error when patience ends', async () => {
    const outcome = whileUnavailable(() => Promise.reject(away), { patienceMs: 5_000 })
    const expected = expect(outcome).rejects.toBe(away)
    await vi.advanceTimersByTimeAsync(5_000)
    await expected
    expect(vi.getTimerCount()).toBe(0)
  })

  test('without patience it tries once', async () => {
    const attempt = vi.fn(() => Promise.reject(away))
    await expect(whileUnavailable(attempt, { patienceMs: 0 })).rejects.toBe(away)
    expect(attempt).toHaveBeenCalledTimes(1)
  })

  test('lets every other error pass at once', async () => {
    const attempt = vi.fn(() => Promise.reject(new InvalidInputError('bad')))
    await expect(whileUnavailable(attempt, { patienceMs: 10_000 })).rejects.toThrow('bad')
    expect(attempt).toHaveBeenCalledTimes(1)
  })

  test('stops waiting when its signal aborts', async () => {
    const controller = new AbortController()
    const outcome = whileUnavailable(() => Promise.reject(away), {
      patienceMs: 10_000,
      signal: controller.signal,
    })
    const expected = expect(outcome).rejects.toBe(away)
    controller.abort()
    await expected
    expect(vi.getTimerCount()).toBe(0)
  })
})

import { InvalidInputError, UnavailableError } from '@signalbox/kit'
import { describe, expect, test } from 'vitest'
import { HandlerError, stepErrorOf } from '../src/fault.ts'

describe('stepErrorOf', () => {
  test('keeps what a HandlerError says, and rounds its delay up to whole milliseconds', () => {
    const error = new HandlerError({ code: 'BUSY', message: 'later', retryAfterMs: 1.2 })
    expect(stepErrorOf(error)).toEqual({
      code: 'BUSY',
      message: 'later',
      retryable: true,
      retry_after_ms: 2,
    })
  })

  test.each([
    ['negative', -1, undefined],
    ['not a number', Number.NaN, undefined],
    ['more than a day', Number.POSITIVE_INFINITY, 86_400_000],
  ])('a delay that is %s does not reach the wire as it is', (_what, retryAfterMs, expected) => {
    const error = new HandlerError({ code: 'BUSY', message: '', retryAfterMs })
    expect(stepErrorOf(error).retry_after_ms).toBe(expected)
  })

  test('takes code and reaction of our own errors', () => {
    expect(stepErrorOf(new InvalidInputError('no'))).toEqual({
      code: 'SB_INVALID_INPUT',
      message: 'no',
      retryable: false,
    })
    expect(stepErrorOf(new UnavailableError('away')).retryable).toBe(true)
  })

  test.each([
    ['an Error', new TypeError('x is not a function'), 'TypeError: x is not a function'],
    ['a string', 'nope', 'nope'],
    ['nothing', undefined, 'undefined'],
  ])('%s that was thrown is SB_HANDLER_FAILED and may pass', (_what, thrown, message) => {
    expect(stepErrorOf(thrown)).toEqual({ code: 'SB_HANDLER_FAILED', message, retryable: true })
  })

  test('bounds code and message, and shows no stack', () => {
    const { code, message } = stepErrorOf(
      new HandlerError({ code: 'X'.repeat(100), message: 'y'.repeat(5_000) }),
    )
    expect(code).toHaveLength(64)
    expect(message).toHaveLength(1_001)
    expect(stepErrorOf(new Error('short')).message).not.toContain('fault.test')
  })
})

import { randomBytes } from 'node:crypto'
import { AppError, ConfigError } from '@signalbox/kit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSealer } from '../src/sealing.ts'

const OLD = randomBytes(32).toString('hex')
const NEW = randomBytes(32).toString('base64')
const CONTEXT = ['acme', 'listener-1']

test('what was sealed opens, for any text and context', () => {
  const sealer = createSealer({ keys: NEW })
  const texts = fc.string({ unit: 'grapheme' })
  fc.assert(
    fc.property(texts, fc.array(texts, { maxLength: 3 }), (text, context) => {
      const sealed = sealer.seal(text, context)
      expect(sealer.open(sealed, context)).toBe(text)
      expect(sealed).not.toBe(sealer.seal(text, context))
    }),
  )
})

test('does not show the text', () => {
  const sealed = createSealer({ keys: NEW }).seal('whsec_secret', CONTEXT)
  expect(sealed).toMatch(/^sealed\.1\.[0-9a-f]{8}\.[\w-]+$/)
  expect(Buffer.from(sealed.split('.')[3]!, 'base64url').toString('latin1')).not.toContain('whsec')
})

test('the newest key seals, all open, and what an older one sealed is not current', () => {
  const before = createSealer({ keys: OLD })
  const during = createSealer({ keys: `${NEW}, ${OLD}` })
  const old = before.seal('secret', CONTEXT)
  expect(during.open(old, CONTEXT)).toBe('secret')
  expect([during.isCurrent(old), before.isCurrent(old)]).toEqual([false, true])
  const renewed = during.seal('secret', CONTEXT)
  expect(during.isCurrent(renewed)).toBe(true)
  expect(() => before.open(renewed, CONTEXT)).toThrow('is not in SIGNALBOX_SEALING_KEY')
})

describe('does not open', () => {
  const sealer = createSealer({ keys: NEW })
  const sealed = sealer.seal('secret', CONTEXT)
  const flipped = sealed.slice(0, -5) + (sealed.at(-5) === 'A' ? 'B' : 'A') + sealed.slice(-4)

  test.each([
    ['for another listener', sealed, ['acme', 'listener-2']],
    ['for parts that only join to the same', sealed, ['acm', 'elistener-1']],
    ['when it was altered', flipped, CONTEXT],
    ['when it was cut off', sealed.slice(0, 30), CONTEXT],
    ['when it is of another version', sealed.replace('sealed.1', 'sealed.2'), CONTEXT],
    ['when it is plain', 'whsec_secret', CONTEXT],
  ])('%s', (_when, text, context) => {
    const failure = (() => {
      try {
        return sealer.open(text, context)
      } catch (error) {
        return error
      }
    })()
    expect(failure).toBeInstanceOf(AppError)
    expect(failure).toMatchObject({ code: 'SB_SEALED', retryable: false })
    expect(String(failure)).not.toContain('whsec')
  })
})

test.each(['', 'short', `${NEW},`, `${OLD}00`, 'x'.repeat(44)])('the key %j is none', (keys) => {
  expect(() => createSealer({ keys })).toThrow(ConfigError)
  if (keys !== '') expect(() => createSealer({ keys })).not.toThrow(keys)
})

import { expect, test } from 'vitest'
import { hashSecret, newSecret, secretsEqual } from '../src/index.ts'

test.each([
  ['a', 'a', true],
  ['', '', true],
  ['a', 'b', false],
  ['a', 'ab', false],
  ['é', 'e\u0301', false],
])('%j and %j are equal: %s', (a, b, expected) => {
  expect(secretsEqual(a, b)).toBe(expected)
})

test('a new secret has 256 bits, fits in a header, and is another one each time', () => {
  const secret = newSecret()
  expect(Buffer.from(secret, 'base64url')).toHaveLength(32)
  expect(secret).toMatch(/^[\w-]+$/)
  expect(newSecret()).not.toBe(secret)
})

test('a hash is SHA-256 in hex, which stored keys depend on', () => {
  expect(hashSecret('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})

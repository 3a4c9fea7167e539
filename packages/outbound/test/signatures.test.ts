import { Buffer } from 'node:buffer'
import { InvalidInputError } from '@signalbox/kit'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { createSigner, verifySignature } from '../src/signatures.ts'
import { newSigningSecret, publicKeyOf } from '../src/signing-secret.ts'

const signer = createSigner()
const NOW_MS = Date.now()
const BODY = '{"type":"poll_complete","data":{"name":"Ådä"}}'

describe('the official library', () => {
  const oldSecret = newSigningSecret()
  const secret = newSigningSecret()
  const message = { id: 'msg_1', timestampMs: NOW_MS, body: BODY, secrets: [secret, oldSecret] }
  const headers = { ...signer.headersOf(message) }

  test('verifies by the new secret and by the old one during a rotation', () => {
    expect(new Webhook(secret).verify(BODY, headers)).toEqual(JSON.parse(BODY))
    expect(new Webhook(oldSecret).verify(BODY, headers)).toEqual(JSON.parse(BODY))
  })

  test('verifies beside an ed25519 signature', () => {
    const secrets = [newSigningSecret('ed25519'), secret]
    const mixed = { ...signer.headersOf({ ...message, secrets }) }
    expect(mixed['webhook-signature']).toMatch(/^v1a,\S+ v1,\S+$/)
    expect(new Webhook(secret).verify(BODY, mixed)).toEqual(JSON.parse(BODY))
  })

  test('refuses a tampered body, id, time and another secret', () => {
    expect(() => new Webhook(secret).verify(`${BODY} `, headers)).toThrow()
    expect(() => new Webhook(secret).verify(BODY, { ...headers, 'webhook-id': 'msg_2' })).toThrow()
    const later = String(Number(headers['webhook-timestamp']) + 1)
    expect(() =>
      new Webhook(secret).verify(BODY, { ...headers, 'webhook-timestamp': later }),
    ).toThrow()
    expect(() => new Webhook(newSigningSecret()).verify(BODY, headers)).toThrow()
  })

  test('gives the signature that we give', () => {
    const theirs = new Webhook(secret).sign('msg_1', new Date(NOW_MS), BODY)
    expect(headers['webhook-signature'].split(' ')[0]).toBe(theirs)
  })
})

test('the signatures of fixed messages do not change', () => {
  const hmac = signer.headersOf({
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestampMs: 1_614_265_330_000,
    body: '{"test": 2432232314}',
    secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
  })
  expect(hmac).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  })
})

describe('ed25519', () => {
  // The first key of https://www.rfc-editor.org/rfc/rfc8032#section-7.1
  const seed = Buffer.from(
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'hex',
  )
  const half = Buffer.from(
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    'hex',
  )
  const secret = `whsk_${Buffer.concat([seed, half]).toString('base64')}`

  test('has the public key that belongs to its seed', () => {
    expect(publicKeyOf(secret)).toBe(`whpk_${half.toString('base64')}`)
    expect(publicKeyOf(`whsk_${seed.toString('base64')}`)).toBe(publicKeyOf(secret))
  })

  test('verifies by the public key alone, and a tampered body does not', () => {
    const fresh = newSigningSecret('ed25519')
    const secrets = [publicKeyOf(fresh)]
    const message = { id: 'm', timestampMs: NOW_MS, body: BODY, secrets: [fresh] }
    const headers = { ...signer.headersOf(message) }
    const at = { nowMs: NOW_MS }
    expect(verifySignature({ headers, body: BODY, secrets }, at)).toEqual({ isValid: true })
    expect(verifySignature({ headers, body: `${BODY}x`, secrets }, at)).toEqual({
      isValid: false,
      reason: 'no signature fits',
    })
  })

  test('refuses halves that do not belong together', () => {
    const wrong = `whsk_${Buffer.concat([seed, Buffer.alloc(32, 1)]).toString('base64')}`
    expect(() => publicKeyOf(wrong)).toThrow('do not belong together')
  })
})

describe('verifying', () => {
  const secret = newSigningSecret()
  const sent = { id: 'm', timestampMs: NOW_MS, body: BODY, secrets: [secret] }
  const headers = { ...signer.headersOf(sent) }
  const verify = (changed: object, nowMs = NOW_MS) =>
    verifySignature(
      { headers: { ...headers, ...changed }, body: BODY, secrets: [secret] },
      { nowMs },
    )

  test.each([
    ['what the official library signed', {}, 0, undefined],
    ['a signature that is missing', { 'webhook-signature': undefined }, 0, 'headers missing'],
    ['a time that is none', { 'webhook-timestamp': 'NaN' }, 0, 'too old or too new'],
    ['what is old', {}, 301_000, 'too old or too new'],
    ['what comes from the future', {}, -302_000, 'too old or too new'],
    ['a cut signature', { 'webhook-signature': 'v1,abc' }, 0, 'no signature fits'],
    ['a signature of another version', { 'webhook-signature': 'v2,abc' }, 0, 'no signature fits'],
  ])('%s', (_what, changed, laterMs, reason) => {
    const expected = reason === undefined ? { isValid: true } : { isValid: false, reason }
    expect(verify(changed, NOW_MS + laterMs)).toEqual(expected)
  })
})

test.each([
  ['no prefix', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
  ['too short', 'whsec_c2hvcnQ='],
  ['too long', `whsec_${Buffer.alloc(65).toString('base64')}`],
  ['no base64', 'whsec_!!!!9r8GKYqrTwjUPD8ILPZIo2LaLaSw!'],
  ['a public key', publicKeyOf(newSigningSecret('ed25519'))],
])('a secret with %s is refused, and not repeated', (_what, secret) => {
  const sign = () =>
    signer.headersOf({ id: 'm', timestampMs: NOW_MS, body: BODY, secrets: [secret] })
  expect(sign).toThrow(InvalidInputError)
  expect(sign).not.toThrow(secret.slice(8))
})

test.each(['', 'a.b', 'a b', 'x'.repeat(257)])('the id %j is refused', (id) => {
  const secrets = [newSigningSecret()]
  expect(() => signer.headersOf({ id, timestampMs: NOW_MS, body: BODY, secrets })).toThrow(
    'webhook-id',
  )
})

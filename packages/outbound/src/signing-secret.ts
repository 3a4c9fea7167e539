/**
 * The secrets that callbacks are signed with, as Standard Webhooks writes them.
 *
 * | text     | holds, in base64                                          | scheme             |
 * | -------- | --------------------------------------------------------- | ------------------ |
 * | `whsec_` | 24 to 64 random bytes                                     | HMAC-SHA256, `v1`  |
 * | `whsk_`  | an ed25519 secret key: 32 bytes of seed and 32 of public key, or the seed alone | ed25519, `v1a` |
 * | `whpk_`  | an ed25519 public key: 32 bytes; verifies only            | ed25519, `v1a`     |
 *
 * Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme
 */
import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { InvalidInputError } from '@signalbox/kit'

export type SigningScheme = 'hmac-sha256' | 'ed25519'

const HMAC_PREFIX = 'whsec_'
const ED25519_SECRET_PREFIX = 'whsk_'
const ED25519_PUBLIC_PREFIX = 'whpk_'

const NEW_HMAC_BYTES = 32
const MIN_HMAC_BYTES = 24
const MAX_HMAC_BYTES = 64
const ED25519_BYTES = 32

/** A key in memory, and what is done with it. */
export interface SigningKey {
  readonly scheme: SigningScheme
  readonly key: KeyObject
}

/** A new random secret: `whsec_…`, or `whsk_…` whose public half `publicKeyOf` tells. */
export function newSigningSecret(scheme: SigningScheme = 'hmac-sha256'): string {
  if (scheme === 'hmac-sha256') {
    return `${HMAC_PREFIX}${randomBytes(NEW_HMAC_BYTES).toString('base64')}`
  }
  const { d, x } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  const bytes = [d, x].map((part) => Buffer.from(part ?? '', 'base64url'))
  return `${ED25519_SECRET_PREFIX}${Buffer.concat(bytes).toString('base64')}`
}

/** `whpk_…` of a `whsk_…`: what verifies, and may be shown. Throws `InvalidInputError` for any other text. */
export function publicKeyOf(secret: string): string {
  const { scheme, key } = signingKeyOf(secret)
  if (scheme !== 'ed25519') throw invalidSecret('only a whsk_ secret has a public key')
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  return `${ED25519_PUBLIC_PREFIX}${Buffer.from(x ?? '', 'base64url').toString('base64')}`
}

/** The key that signs. Throws `InvalidInputError` for what is none; the error does not repeat it. */
export function signingKeyOf(secret: string): SigningKey {
  if (secret.startsWith(HMAC_PREFIX)) return hmacKey(secret)
  if (!secret.startsWith(ED25519_SECRET_PREFIX)) {
    throw invalidSecret(`a secret begins with ${HMAC_PREFIX} or ${ED25519_SECRET_PREFIX}`)
  }
  const bytes = bytesAfter(ED25519_SECRET_PREFIX, secret)
  if (bytes.length !== ED25519_BYTES && bytes.length !== 2 * ED25519_BYTES) {
    throw invalidSecret(`a ${ED25519_SECRET_PREFIX} secret holds 32 or 64 bytes`)
  }
  const seed = bytes.subarray(0, ED25519_BYTES)
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_ED25519, seed]),
    format: 'der',
    type: 'pkcs8',
  })
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  const publicHalf = bytes.subarray(ED25519_BYTES)
  if (publicHalf.length > 0 && x !== publicHalf.toString('base64url')) {
    throw invalidSecret(`the halves of a ${ED25519_SECRET_PREFIX} secret do not belong together`)
  }
  return { scheme: 'ed25519', key }
}

/** The key that verifies: of a `whsec_…` or a `whpk_…`. Throws `InvalidInputError` for what is none. */
export function verifyingKeyOf(text: string): SigningKey {
  if (!text.startsWith(ED25519_PUBLIC_PREFIX)) {
    if (text.startsWith(HMAC_PREFIX)) return hmacKey(text)
    throw invalidSecret(`what verifies begins with ${HMAC_PREFIX} or ${ED25519_PUBLIC_PREFIX}`)
  }
  const bytes = bytesAfter(ED25519_PUBLIC_PREFIX, text)
  if (bytes.length !== ED25519_BYTES) {
    throw invalidSecret(`a ${ED25519_PUBLIC_PREFIX} key holds 32 bytes`)
  }
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') }
  return { scheme: 'ed25519', key: createPublicKey({ key: jwk, format: 'jwk' }) }
}

/** What stands before the seed of an ed25519 key in PKCS #8. Source: https://www.rfc-editor.org/rfc/rfc8410#section-7 */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')

function hmacKey(secret: string): SigningKey {
  const bytes = bytesAfter(HMAC_PREFIX, secret)
  if (bytes.length < MIN_HMAC_BYTES || bytes.length > MAX_HMAC_BYTES) {
    throw invalidSecret(
      `a ${HMAC_PREFIX} secret holds ${MIN_HMAC_BYTES} to ${MAX_HMAC_BYTES} bytes in base64`,
    )
  }
  return { scheme: 'hmac-sha256', key: createSecretKey(bytes) }
}

function bytesAfter(prefix: string, text: string): Buffer {
  const encoded = text.slice(prefix.length)
  const bytes = Buffer.from(encoded, 'base64')
  // n.b. Buffer reads over what is no base64; what does not come out again the same was none.
  const isBase64 = bytes.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '')
  if (!isBase64) throw invalidSecret(`what follows ${prefix} is not base64`)
  return bytes
}

function invalidSecret(why: string): InvalidInputError {
  return new InvalidInputError(`the secret cannot be used: ${why}`, {
    details: [{ path: 'secret', message: why }],
  })
}

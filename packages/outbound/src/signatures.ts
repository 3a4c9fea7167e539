/**
 * Signatures of callbacks as Standard Webhooks has them: `webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature`, which signs
 * both and the body: `<id>.<timestamp>.<body>`. During a rotation there is a signature per secret, with a space between them.
 *
 * Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme
 */
import { createHmac, sign, timingSafeEqual, verify } from 'node:crypto'
import { InvalidInputError } from '@signalbox/kit'
import { LRUCache } from 'lru-cache'
import { type SigningKey, signingKeyOf, verifyingKeyOf } from './signing-secret.ts'

/** Keys of as many secrets stay in memory; making one costs more than signing with it. */
const MAX_KEYS = 10_000
/** The new secret and the old ones that are not yet forgotten. */
const MAX_SECRETS = 8
const DEFAULT_TOLERANCE_SECONDS = 300
const MAX_SIGNATURES = 32

/** n.b. a dot would let an id and a timestamp change places. */
const ID = /^[A-Za-z0-9_:-]{1,256}$/

export interface WebhookHeaders {
  'webhook-id': string
  'webhook-timestamp': string
  'webhook-signature': string
}

export interface Signer {
  /**
   * The headers of one attempt. `id` stays the same at every attempt; `timestampMs` is the attempt's. Throws `InvalidInputError` when `id` is not
   * 1 to 256 of `A-Z a-z 0-9 _ : -`, when there are no secrets or more than eight, or when one is no secret.
   */
  headersOf(message: SignedMessage): WebhookHeaders
}

export interface SignedMessage {
  id: string
  timestampMs: number
  /** Exactly what is sent. */
  body: string | Uint8Array
  /** `whsec_…` or `whsk_…`; the newest first. */
  secrets: readonly string[]
}

/** Keeps the keys of the secrets it has met, the last 10,000. One for a process is enough. */
export function createSigner(): Signer {
  const keys = new LRUCache<string, SigningKey>({ max: MAX_KEYS })
  const keyOf = (secret: string): SigningKey => {
    const known = keys.get(secret)
    if (known) return known
    const key = signingKeyOf(secret)
    keys.set(secret, key)
    return key
  }

  return {
    headersOf({ id, timestampMs, body, secrets }) {
      if (!ID.test(id)) throw new InvalidInputError('webhook-id must match [A-Za-z0-9_:-]{1,256}')
      if (secrets.length === 0 || secrets.length > MAX_SECRETS) {
        throw new InvalidInputError(`there must be 1 to ${MAX_SECRETS} secrets to sign with`)
      }
      const timestamp = String(Math.floor(timestampMs / 1_000))
      const signatures = secrets.map((secret) =>
        signatureBy(keyOf(secret), `${id}.${timestamp}.`, body),
      )
      return {
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': signatures.join(' '),
      }
    },
  }
}

export type Verification =
  | { isValid: true }
  | { isValid: false; reason: 'headers missing' | 'too old or too new' | 'no signature fits' }

export interface ReceivedMessage {
  /** With names in lower case. */
  headers: Readonly<Record<string, string | readonly string[] | undefined>>
  body: string | Uint8Array
  /** `whsec_…` or `whpk_…`; any of them may fit. */
  secrets: readonly string[]
}

export interface VerifyOptions {
  nowMs: number
  /** How far the timestamp may be from now; default 300 s. */
  toleranceSeconds?: number
}

/**
 * The other side: whether a request that was received is what its sender signed. Compares in constant time. Throws `InvalidInputError` when what
 * should verify is no secret or public key.
 */
export function verifySignature(
  { headers, body, secrets }: ReceivedMessage,
  { nowMs, toleranceSeconds = DEFAULT_TOLERANCE_SECONDS }: VerifyOptions,
): Verification {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': given } = headers
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof given !== 'string') {
    return { isValid: false, reason: 'headers missing' }
  }
  const ageSeconds = Math.abs(nowMs / 1_000 - Number(timestamp))
  if (!/^\d{1,12}$/.test(timestamp) || ageSeconds > toleranceSeconds) {
    return { isValid: false, reason: 'too old or too new' }
  }
  const keys = secrets.map(verifyingKeyOf)
  const signatures = given.split(' ', MAX_SIGNATURES)
  const fits = signatures.some((signature) =>
    keys.some((key) => isSignatureBy(key, signature, `${id}.${timestamp}.`, body)),
  )
  return fits ? { isValid: true } : { isValid: false, reason: 'no signature fits' }
}

function signatureBy({ scheme, key }: SigningKey, head: string, body: string | Uint8Array): string {
  if (scheme === 'hmac-sha256') {
    return `v1,${createHmac('sha256', key).update(head).update(body).digest('base64')}`
  }
  return `v1a,${sign(null, contentOf(head, body), key).toString('base64')}`
}

function isSignatureBy(
  signingKey: SigningKey,
  signature: string,
  head: string,
  body: string | Uint8Array,
): boolean {
  if (signingKey.scheme === 'hmac-sha256') {
    const expected = Buffer.from(signatureBy(signingKey, head, body))
    const given = Buffer.from(signature)
    return given.length === expected.length && timingSafeEqual(given, expected)
  }
  if (!signature.startsWith('v1a,')) return false
  const bytes = Buffer.from(signature.slice('v1a,'.length), 'base64')
  return verify(null, contentOf(head, body), signingKey.key, bytes)
}

function contentOf(head: string, body: string | Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(head), typeof body === 'string' ? Buffer.from(body) : body])
}

/** Comparing and hashing credentials. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** In constant time for any two strings: digests are compared, so lengths do not show either. */
export function secretsEqual(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b))
}

/** How an API key is stored: it is random with 256 bits, so a plain SHA-256 cannot be searched back. */
export function hashSecret(secret: string): string {
  return digest(secret).toString('hex')
}

export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

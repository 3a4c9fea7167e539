/** What a connection needs and a test does not care about. */
import { AuthError } from '@signalbox/kit'
import type { Rate } from '../src/token-bucket.ts'

export const NO_LIMIT: Rate = { perSecond: 0, burst: 0 }

export const UNTOLD = { note: () => undefined }

export function noToken(): Promise<never> {
  return Promise.reject(new AuthError('SB_UNAUTHENTICATED', 'the token is not valid'))
}

/** What a revocation covers, the same for both engines and for whoever is told of one. */
import { AppError } from '@signalbox/kit'
import type { Revocation, RevocationTarget, TokenMarks } from './ports.ts'

/** Per account. */
export const MAX_REVOCATIONS = 10_000

/** Tokens tell their time in whole seconds. */
const SECOND_MS = 1_000

/** Whether the token is one that the revocation means. Both are of the same account. */
export function revokes(
  { target, atMs }: Omit<Revocation, 'accountKey'>,
  token: TokenMarks,
): boolean {
  if ('jti' in target) return target.jti === token.jti
  if ('keyId' in target) return target.keyId === token.keyId
  if (target.personKey !== token.personKey) return false
  return (token.issuedAtMs ?? 0) <= Math.floor(atMs / SECOND_MS) * SECOND_MS
}

/** One for each target; what a target's revocation is kept under. */
export function markOf(target: RevocationTarget): string {
  if ('jti' in target) return `jti:${target.jti}`
  return 'keyId' in target ? `key:${target.keyId}` : `person:${target.personKey}`
}

/** What would revoke the token. */
export function targetsOf({ jti, keyId, personKey }: TokenMarks): RevocationTarget[] {
  return [
    ...(jti === undefined ? [] : [{ jti }]),
    ...(keyId === undefined ? [] : [{ keyId }]),
    ...(personKey === undefined ? [] : [{ personKey }]),
  ]
}

export function tooManyRevocations(): AppError {
  return new AppError(
    'SB_TOO_MANY',
    `the account has ${MAX_REVOCATIONS} revocations that still count, which is the most`,
    { retryable: true },
  )
}

/** By what a token may be revoked, from its claims. */
import type { TokenClaims } from '@signalbox/contracts'
import type { TokenMarks } from '@signalbox/store'

export function marksOf({ jti, key_id, sub, iat }: TokenClaims): TokenMarks {
  return {
    ...(jti === undefined ? {} : { jti }),
    ...(key_id === undefined ? {} : { keyId: key_id }),
    ...(sub === undefined ? {} : { personKey: sub }),
    ...(iat === undefined ? {} : { issuedAtMs: iat * 1_000 }),
  }
}

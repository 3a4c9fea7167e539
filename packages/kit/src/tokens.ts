/** WebSocket tokens: JWTs signed with HS256. Verification takes a key resolver so that a JWKS can stand beside it. */
import { type TokenClaims, tokenClaimsSchema } from '@signalbox/contracts'
import { errors, type JWTVerifyGetKey, jwtVerify, SignJWT } from 'jose'
import { AuthError } from './errors.ts'

const ALGORITHMS = ['HS256']
const AUDIENCE = 'signalbox-edge'

export interface TokenSubject {
  accountKey: string
  /** Absent: the whole account. */
  personKey?: string
}

export interface IssuedToken {
  token: string
  /** RFC 3339. */
  expires_at: string
}

/** Signs a token that opens a WebSocket for one person, or for the account when no person is named. */
export async function issueToken(
  secret: string,
  subject: TokenSubject,
  ttlSeconds: number,
  nowMs: number = Date.now(),
): Promise<IssuedToken> {
  const issuedAt = Math.floor(nowMs / 1_000)
  const expiresAt = issuedAt + ttlSeconds
  const claims =
    subject.personKey === undefined
      ? { account_key: subject.accountKey, scope: 'account' }
      : { account_key: subject.accountKey }
  const jwt = new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setAudience(AUDIENCE)
    .setIssuedAt(issuedAt)
    .setExpirationTime(expiresAt)
  if (subject.personKey !== undefined) jwt.setSubject(subject.personKey)
  return {
    token: await jwt.sign(new TextEncoder().encode(secret)),
    expires_at: new Date(expiresAt * 1_000).toISOString(),
  }
}

export type TokenVerifier = (token: string) => Promise<TokenClaims>

/** Throws `AuthError` with a reason that shows nothing of the token. An audience, when there is one, must be ours. */
export function createTokenVerifier(secretOrResolver: string | JWTVerifyGetKey): TokenVerifier {
  const resolve: JWTVerifyGetKey =
    typeof secretOrResolver === 'string'
      ? async () => new TextEncoder().encode(secretOrResolver)
      : secretOrResolver
  return async (token) => {
    const payload = await verified(token, resolve)
    const claims = tokenClaimsSchema.safeParse(payload)
    if (!claims.success || (claims.data.sub === undefined && claims.data.scope === undefined)) {
      throw new AuthError(
        'SB_UNAUTHENTICATED',
        'the token must name account_key, exp, and a person (sub) or scope "account"',
      )
    }
    return claims.data
  }
}

async function verified(token: string, resolve: JWTVerifyGetKey): Promise<Record<string, unknown>> {
  try {
    const { payload } = await jwtVerify(token, resolve, {
      algorithms: ALGORITHMS,
      clockTolerance: 5,
    })
    if (payload.aud !== undefined && ![payload.aud].flat().includes(AUDIENCE)) {
      throw new AuthError('SB_UNAUTHENTICATED', 'the token is meant for somebody else')
    }
    return payload
  } catch (error) {
    if (error instanceof AuthError) throw error
    const reason =
      error instanceof errors.JWTExpired ? 'the token has expired' : 'the token is not valid'
    throw new AuthError('SB_UNAUTHENTICATED', reason, { cause: error })
  }
}

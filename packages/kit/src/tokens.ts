/**
 * WebSocket tokens: JWTs. Our own are signed with HS256; those of another issuer with one of its keys.
 *
 * | algorithm            | key                               | audience                        | issuer                 |
 * | -------------------- | --------------------------------- | ------------------------------- | ---------------------- |
 * | HS256                | the secret, and nothing else      | ours, where there is one at all | not looked at          |
 * | RS256, ES256, EdDSA  | of the issuer's set, of that type | must be the configured one      | the configured one     |
 *
 * n.b. the algorithm that a token names decides which row it is held to before any key is looked at: a public key can never be
 * taken for a secret.
 */
import { createSecretKey, type KeyObject, randomUUID } from 'node:crypto'
import { type TokenClaims, tokenClaimsSchema } from '@signalbox/contracts'
import { decodeProtectedHeader, errors, type JWTVerifyGetKey, jwtVerify, SignJWT } from 'jose'
import { AppError, AuthError } from './errors.ts'

/** Whom a token is meant for, unless configured otherwise for another issuer's. */
export const TOKEN_AUDIENCE = 'signalbox-edge'

export const ISSUER_ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const

const CLOCK_TOLERANCE_S = 5

export interface TokenSubject {
  accountKey: string
  /** Absent: the whole account. */
  personKey?: string
  /** The API key that it is issued with: when that is deleted, the token ends. */
  keyId?: string
}

export interface IssuedToken {
  token: string
  /** Its identity, by which it can be revoked. */
  jti: string
  /** RFC 3339. */
  expires_at: string
}

/** Signs a token that opens a WebSocket for one person, or for the account when no person is named. */
export async function issueToken(
  secret: string,
  { accountKey, personKey, keyId }: TokenSubject,
  ttlSeconds: number,
  nowMs: number = Date.now(),
): Promise<IssuedToken> {
  const issuedAt = Math.floor(nowMs / 1_000)
  const expiresAt = issuedAt + ttlSeconds
  const jti = randomUUID()
  const claims = {
    account_key: accountKey,
    ...(personKey === undefined ? { scope: 'account' } : {}),
    ...(keyId === undefined ? {} : { key_id: keyId }),
  }
  const jwt = new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setAudience(TOKEN_AUDIENCE)
    .setJti(jti)
    .setIssuedAt(issuedAt)
    .setExpirationTime(expiresAt)
  if (personKey !== undefined) jwt.setSubject(personKey)
  return {
    token: await jwt.sign(new TextEncoder().encode(secret)),
    jti,
    expires_at: new Date(expiresAt * 1_000).toISOString(),
  }
}

/** Another issuer, whose tokens are accepted beside ours. */
export interface TokenIssuer {
  keys: JWTVerifyGetKey
  /** What `iss` must be; absent: it is not looked at. */
  issuer?: string
  /** What `aud` must be or contain; default `signalbox-edge`. */
  audience?: string
}

export type TokenVerifier = (token: string) => Promise<TokenClaims>

/** Throws `AuthError` with a reason that shows nothing of the token; `UnavailableError` when the issuer's keys cannot be had. */
export function createTokenVerifier(secret: string, issuer?: TokenIssuer): TokenVerifier {
  // n.b. a key object is imported once; bytes would be for every token.
  const key = createSecretKey(Buffer.from(secret))
  return async (token) => {
    const payload = await verified(token, key, issuer)
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

async function verified(
  token: string,
  secret: KeyObject,
  issuer: TokenIssuer | undefined,
): Promise<Record<string, unknown>> {
  try {
    return issuer && isAsymmetric(token)
      ? await verifiedOfIssuer(token, issuer)
      : await verifiedOfOurs(token, secret)
  } catch (error) {
    if (error instanceof AppError) throw error
    throw new AuthError('SB_UNAUTHENTICATED', reasonOf(error), { cause: error })
  }
}

/** By the algorithm that it names; throws when it is no token. */
function isAsymmetric(token: string): boolean {
  const { alg = '' } = decodeProtectedHeader(token)
  return (ISSUER_ALGORITHMS as readonly string[]).includes(alg)
}

async function verifiedOfOurs(token: string, secret: KeyObject): Promise<Record<string, unknown>> {
  const { payload } = await jwtVerify(token, secret, {
    algorithms: ['HS256'],
    clockTolerance: CLOCK_TOLERANCE_S,
  })
  if (payload.aud !== undefined && ![payload.aud].flat().includes(TOKEN_AUDIENCE)) {
    throw new AuthError('SB_UNAUTHENTICATED', 'the token is meant for somebody else')
  }
  return payload
}

async function verifiedOfIssuer(
  token: string,
  { keys, issuer, audience = TOKEN_AUDIENCE }: TokenIssuer,
): Promise<Record<string, unknown>> {
  const { payload } = await jwtVerify(token, keys, {
    algorithms: [...ISSUER_ALGORITHMS],
    audience,
    ...(issuer === undefined ? {} : { issuer }),
    clockTolerance: CLOCK_TOLERANCE_S,
  })
  return payload
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired'
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud') {
    return 'the token is meant for somebody else'
  }
  return 'the token is not valid'
}

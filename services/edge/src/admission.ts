/**
 * Who may open a socket, and how many of them at once. What is cheap to answer is asked first, so that a storm of clients costs little:
 *
 * | asked                                                          | refused with                  |
 * | -------------------------------------------------------------- | ----------------------------- |
 * | is the edge shutting down                                      | 503                           |
 * | are there more new sockets than it takes in a second           | 503, and when to come back    |
 * | does a page of another origin ask                              | 403                           |
 * | does the edge, or the address, hold as many as it may          | 503, 429                      |
 * | is the token valid, and not revoked; can that be known now     | 401, 503                      |
 * | does the account, or the person, hold as many as it may        | 429                           |
 */
import type { IncomingMessage } from 'node:http'
import type { TokenClaims } from '@signalbox/contracts'
import { AuthError, type TokenVerifier, UnavailableError } from '@signalbox/kit'
import type { RevocationStore } from '@signalbox/store'
import { clientAddress } from './client-address.ts'
import { handshakeOf, tokenOf } from './handshake.ts'
import { ComeBackLater } from './refusal.ts'
import type { RevocationWatch } from './revocation-watch.ts'
import { House, type Seat } from './seats.ts'
import { type Rate, TokenBucket } from './token-bucket.ts'
import { marksOf } from './token-marks.ts'

/** The longest that the last of a storm is asked to stay away. */
const MAX_RETRY_AFTER_S = 60
/** The least spread of those who are refused. */
const MIN_SPREAD_S = 4

export interface AdmissionOptions {
  maxConnections: number
  maxPerAddress: number
  maxPerAccount: number
  maxPerPerson: number
  /** New sockets. */
  accepts: Rate
  /** Whose pages may connect; absent: all. A client that names no origin is no page. */
  origins?: readonly string[]
  trustedProxies: number
}

export interface AdmissionDeps {
  verifyToken: TokenVerifier
  revocations: Pick<RevocationStore, 'areRevoked'>
  /** Those of the last moments. */
  watch: Pick<RevocationWatch, 'covers'>
}

export interface Admission {
  /** Throws `AppError`s, those of the table. */
  admit(request: IncomingMessage): Promise<Seat>
  /** Of a token that is valid and not revoked; throws otherwise. */
  claimsOf(token: string): Promise<TokenClaims>
  /** From now on nobody is admitted. */
  close(): void
}

export function createAdmission(
  options: AdmissionOptions,
  { verifyToken, revocations, watch }: AdmissionDeps,
): Admission {
  const { accepts, origins, trustedProxies } = options
  const pace = new TokenBucket(accepts, performance.now())
  /** Owed to those who were refused: the more of them, the longer they are spread over. */
  const backlog = new TokenBucket({ ...accepts, burst: 0 }, performance.now())
  const house = new House(options)
  let isClosed = false

  function requireOpen(): void {
    if (isClosed) throw new UnavailableError('this edge is shutting down')
  }

  function requirePace(): void {
    const nowMs = performance.now()
    if (pace.takeIfThere(nowMs)) return
    const owed = -backlog.take(nowMs, accepts.perSecond * MAX_RETRY_AFTER_S)
    const spreadS = Math.max(MIN_SPREAD_S, Math.ceil(owed / accepts.perSecond))
    throw new ComeBackLater('this edge accepts no faster', 1 + Math.floor(Math.random() * spreadS))
  }

  function requireOrigin({ headers: { origin } }: IncomingMessage): void {
    if (!origins || origin === undefined || origins.includes(origin.toLowerCase())) return
    throw new AuthError('SB_FORBIDDEN', 'pages of this origin may not connect')
  }

  async function claimsOf(token: string): Promise<TokenClaims> {
    const claims = await verifyToken(token)
    const [isRevoked] = await revocations.areRevoked(claims.account_key, [marksOf(claims)])
    if (isRevoked || watch.covers(claims)) {
      throw new AuthError('SB_UNAUTHENTICATED', 'the token has been revoked')
    }
    return claims
  }

  return {
    async admit(request) {
      requireOpen()
      requirePace()
      requireOrigin(request)
      const seat = house.enter(clientAddress(request, trustedProxies))
      try {
        const claims = await claimsOf(tokenOf(handshakeOf(request)))
        requireOpen()
        seat.take(claims)
        return seat
      } catch (error) {
        seat.release()
        throw error
      }
    },
    claimsOf,
    close() {
      isClosed = true
    },
  }
}

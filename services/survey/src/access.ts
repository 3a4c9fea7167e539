/**
 * Who is calling. A person is known by a signed cookie that this service gave their browser, and by nothing else: naming
 * a person's key opens nothing. Whoever has the admin key may act for any person.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { AuthError, bearerOf, NotFoundError, secretsEqual } from '@signalbox/kit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Session } from './session.ts'

const COOKIE = 'survey_person'
const COOKIE_MAX_AGE_S = 365 * 86_400

export type Caller = { kind: 'admin' } | { kind: 'person'; personKey: string } | { kind: 'unknown' }

export interface AccessOptions {
  adminKey: string
  /** Signs the cookies. */
  tokenSecret: string
}

export type Access = ReturnType<typeof createAccess>

export function createAccess({ adminKey, tokenSecret }: AccessOptions) {
  /** The prefix keeps it apart from whatever else is signed with the secret. */
  const signatureOf = (personKey: string): string =>
    createHmac('sha256', tokenSecret).update(`survey person ${personKey}`).digest('base64url')

  const personOf = (request: FastifyRequest): string | undefined => {
    const [personKey, signature, ...rest] = cookieOf(request, COOKIE)?.split('.') ?? []
    if (!personKey || !signature || rest.length > 0) return undefined
    return secretsEqual(signature, signatureOf(personKey)) ? personKey : undefined
  }

  const callerOf = (request: FastifyRequest): Caller => {
    if (request.headers.authorization !== undefined) {
      requireAdmin(request)
      return { kind: 'admin' }
    }
    const personKey = personOf(request)
    return personKey === undefined ? { kind: 'unknown' } : { kind: 'person', personKey }
  }

  /** Throws `AuthError` unless the bearer is the admin key. */
  const requireAdmin = (request: FastifyRequest): void => {
    if (secretsEqual(bearerOf(request) ?? '', adminKey)) return
    throw new AuthError('SB_UNAUTHENTICATED', 'this needs the admin key as the bearer')
  }

  return {
    callerOf,
    requireAdmin,

    /** The person of this browser; a browser that has none is given one, and the cookie with it. */
    ensurePerson(request: FastifyRequest, reply: FastifyReply): string {
      const known = personOf(request)
      if (known !== undefined) return known
      const personKey = `web-${randomBytes(16).toString('base64url')}`
      void reply.header('set-cookie', cookieFor(request, `${personKey}.${signatureOf(personKey)}`))
      return personKey
    },

    /** Somebody else's session reads as none at all. */
    requireOwn(session: Session, caller: Caller): Session {
      if (caller.kind === 'admin') return session
      if (caller.kind === 'unknown') {
        throw new AuthError(
          'SB_UNAUTHENTICATED',
          'this needs the cookie of the person, or the admin key',
        )
      }
      if (caller.personKey === session.person_key) return session
      throw new NotFoundError(`there is no session "${session.session_id}"`)
    },
  }
}

/** `SameSite=Strict` keeps other sites from answering in the person's name. */
function cookieFor(request: FastifyRequest, value: string): string {
  const isSecure = request.protocol === 'https' || request.headers['x-forwarded-proto'] === 'https'
  return [
    `${COOKIE}=${value}`,
    'Path=/',
    `Max-Age=${COOKIE_MAX_AGE_S}`,
    'HttpOnly',
    'SameSite=Strict',
    ...(isSecure ? ['Secure'] : []),
  ].join('; ')
}

function cookieOf(request: FastifyRequest, name: string): string | undefined {
  return request.headers.cookie
    ?.split(';')
    .map((pair) => pair.trim())
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1)
}

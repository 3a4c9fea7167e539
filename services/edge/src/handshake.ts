/** The opening handshake: where a client puts its token, and which subprotocol it is answered with. Pure. */
import type { IncomingHttpHeaders } from 'node:http'
import { SOCKET_SUBPROTOCOL } from '@signalbox/contracts'
import { AuthError, bearerOf } from '@signalbox/kit'

const TOKEN_PREFIX = 'bearer.'

export interface Handshake {
  headers: IncomingHttpHeaders
  query: unknown
}

/** From `Authorization: Bearer`, else the subprotocol list, else `?token=`. Throws `AuthError` when it is in none of them. */
export function tokenOf({ headers, query }: Handshake): string {
  const token = bearerOf({ headers }) ?? fromSubprotocols(headers) ?? fromQuery(query)
  if (token === undefined || token === '') {
    throw new AuthError(
      'SB_UNAUTHENTICATED',
      `a token is needed: as "Authorization: Bearer <token>", as subprotocol "${TOKEN_PREFIX}<token>", or as ?token=<token>`,
    )
  }
  return token
}

/** Never the entry that carries the token: the answer would show it. False: the client offered none of ours. */
export function selectSubprotocol(offered: ReadonlySet<string>): string | false {
  return offered.has(SOCKET_SUBPROTOCOL) && SOCKET_SUBPROTOCOL
}

function fromSubprotocols(headers: IncomingHttpHeaders): string | undefined {
  return (headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((entry) => entry.trim())
    .find((entry) => entry.startsWith(TOKEN_PREFIX))
    ?.slice(TOKEN_PREFIX.length)
}

function fromQuery(query: unknown): string | undefined {
  if (typeof query !== 'object' || query === null || !('token' in query)) return undefined
  return typeof query.token === 'string' ? query.token : undefined
}

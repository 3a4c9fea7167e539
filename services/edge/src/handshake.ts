/** The opening handshake: where a client puts its token, and which subprotocol it is answered with. Pure. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { SOCKET_SUBPROTOCOL } from '@signalbox/contracts'
import { AuthError, bearerOf } from '@signalbox/kit'

const TOKEN_PREFIX = 'bearer.'

export interface Handshake {
  headers: IncomingHttpHeaders
  query: URLSearchParams
}

/** Of the request for the upgrade. */
export function handshakeOf({ headers, url = '' }: IncomingMessage): Handshake {
  const query = url.includes('?') ? url.slice(url.indexOf('?')) : ''
  return { headers, query: new URLSearchParams(query) }
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

/** Of two it would be unclear which one counts. */
function fromQuery(query: URLSearchParams): string | undefined {
  const [token, second] = query.getAll('token')
  return second === undefined ? token : undefined
}

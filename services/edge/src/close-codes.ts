/**
 * How the edge closes a socket: the code and the reason that the client sees. docs/websocket-protocol.md says for each what to
 * do; a test holds that page to this table.
 *
 * Those below 4000 are of the WebSocket protocol itself; `malformed`, `notUtf8`, `tooManyPieces` and `tooLarge` are sent by ws.
 * Source: https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
 */
export const CLOSE_CODES = {
  goingAway: { code: 1001, reason: 'going away' },
  malformed: { code: 1002, reason: '' },
  notUtf8: { code: 1007, reason: '' },
  tooManyPieces: { code: 1008, reason: '' },
  tooLarge: { code: 1009, reason: '' },
  internal: { code: 1011, reason: 'internal error' },
  tokenExpired: { code: 4001, reason: 'token expired' },
  tokenRevoked: { code: 4002, reason: 'token revoked' },
  tooManyRequests: { code: 4003, reason: 'too many requests' },
  idle: { code: 4004, reason: 'idle' },
  slowConsumer: { code: 4008, reason: 'slow consumer, resume' },
} as const satisfies Record<string, { code: number; reason: string }>

export type CloseCode = keyof typeof CLOSE_CODES

/** How an upgrade is refused: over HTTP, with a problem document, on the connection that would have become a WebSocket. */
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { PROBLEM_MEDIA_TYPE } from '@signalbox/contracts'
import { AppError, type ErrorCode, problemOfError, UnavailableError } from '@signalbox/kit'
import type { FastifyInstance } from 'fastify'

/** All that an upgrade is refused with; docs/websocket-protocol.md says when. */
export const REFUSAL_CODES: readonly ErrorCode[] = [
  'SB_INVALID_INPUT',
  'SB_UNAUTHENTICATED',
  'SB_FORBIDDEN',
  'SB_TOO_MANY',
  'SB_INTERNAL',
  'SB_UNAVAILABLE',
  'SB_STORE_UNAVAILABLE',
]

/** Over how many seconds those who are refused are spread, unless somebody knows better. */
const SPREAD_S = 5

/** Refused for now. With the time after which to come back, a random one, so that not all do at once. */
export class ComeBackLater extends UnavailableError {
  readonly retryAfterS: number

  constructor(message: string, retryAfterS: number = 1 + Math.floor(Math.random() * SPREAD_S)) {
    super(message)
    this.retryAfterS = retryAfterS
  }
}

/** Answers and ends the connection. Returns the code of the answer: one of `REFUSAL_CODES`. */
export function refuse(request: IncomingMessage, stream: Duplex, error: unknown): ErrorCode {
  const isOurs = error instanceof AppError && REFUSAL_CODES.includes(error.code)
  const problem = problemOfError(isOurs ? error : undefined)
  const response = responseOn(request, stream)
  response.writeHead(problem.status, {
    'content-type': PROBLEM_MEDIA_TYPE,
    connection: 'close',
    ...(problem.status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    ...(problem.status === 503 ? { 'retry-after': String(retryAfterOf(error)) } : {}),
  })
  response.end(JSON.stringify(problem))
  return isOurs ? error.code : 'SB_INTERNAL'
}

/** An upgrade that is not ours is answered as if it had not been asked for, as RFC 9110 (7.8) has it. */
export function answerPlainly(
  app: FastifyInstance,
  request: IncomingMessage,
  stream: Duplex,
): void {
  const response = responseOn(request, stream)
  response.shouldKeepAlive = false
  app.routing(request, response)
}

function responseOn(request: IncomingMessage, stream: Duplex): ServerResponse {
  const response = new ServerResponse(request)
  response.assignSocket(stream as Socket)
  response.once('finish', () => stream.end())
  return response
}

function retryAfterOf(error: unknown): number {
  return (error instanceof ComeBackLater ? error : new ComeBackLater('')).retryAfterS
}

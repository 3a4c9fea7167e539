/** How an upgrade is refused: over HTTP, with a problem document, on the connection that would have become a WebSocket. */
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { PROBLEM_MEDIA_TYPE } from '@signalbox/contracts'
import { problemOfError } from '@signalbox/kit'
import type { FastifyInstance } from 'fastify'

/** Seconds that the most patient of the refused are asked to wait. */
const MAX_RETRY_AFTER_S = 5

/** Answers and ends the connection. `retryAfterS`: for a 503; default a random one, so that not all come back at once. */
export function refuse(
  request: IncomingMessage,
  stream: Duplex,
  error: unknown,
  retryAfterS: number = 1 + Math.floor(Math.random() * MAX_RETRY_AFTER_S),
): void {
  const problem = problemOfError(error)
  const response = responseOn(request, stream)
  response.writeHead(problem.status, {
    'content-type': PROBLEM_MEDIA_TYPE,
    connection: 'close',
    ...(problem.status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    ...(problem.status === 503 ? { 'retry-after': String(retryAfterS) } : {}),
  })
  response.end(JSON.stringify(problem))
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

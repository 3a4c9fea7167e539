/**
 * The HTTP side that every process has: `/healthz`, `/readyz`, `/metrics`, and one place where an error becomes an
 * answer. The api, edge and survey add their routes to what this returns.
 */
import { PROBLEM_MEDIA_TYPE, type Problem } from '@signalbox/contracts'
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import { AppError, ERROR_CODES, type ErrorCode, InvalidInputError } from './errors.ts'
import type { Log } from './logging.ts'
import type { Metrics } from './metrics.ts'
import type { Readiness } from './readiness.ts'
import { createRepeatedFailures } from './repeated-failures.ts'

export interface HttpAppDeps {
  log: Log
  readiness: Readiness
  metrics: Metrics
}

export interface HttpAppOptions {
  /** Largest request body; default 1 MiB. */
  maxBodyBytes?: number
}

/** Not listening yet; `listen` and `close` are the caller's (or `runService`'s). */
export function createHttpApp(
  options: HttpAppOptions,
  { log, readiness, metrics }: HttpAppDeps,
): FastifyInstance {
  const app = fastify({
    bodyLimit: options.maxBodyBytes ?? 1024 * 1024,
    requestTimeout: 30_000,
    forceCloseConnections: 'idle',
    logger: false,
    // A key of 128 characters, each of which may be four percent-encoded bytes.
    routerOptions: { maxParamLength: 128 * 12 },
    frameworkErrors(error, _request, reply) {
      void sendProblem(reply, problemOfError(error))
    },
  })

  // Some clients send the type of a body that they do not have.
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else void parseJson(request, body as string, done)
  })

  app.get('/healthz', { schema: { hide: true } as object }, async () => ({ status: 'ok' }))
  app.get('/readyz', { schema: { hide: true } as object }, async (_request, reply) => {
    const report = readiness.report()
    return reply.code(report.ready ? 200 : 503).send(report)
  })
  app.get('/metrics', { schema: { hide: true } as object }, async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.metrics()),
  )

  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      problemOf('SB_NOT_FOUND', `there is no ${request.method} ${pathOf(request)}`),
    ),
  )
  // While a broker is away every request may fail with 503: one line, and their number.
  const tellUnavailable = createRepeatedFailures(log)
  app.setErrorHandler((error: unknown, request, reply) => {
    const problem = problemOfError(error)
    const { status, code } = problem
    const facts = { err: error, method: request.method, path: pathOf(request), code }
    if (status === 503) tellUnavailable(code, facts, 'request.failed')
    else if (status >= 500) log.error(facts, 'request.failed')
    return sendProblem(reply, problem)
  })
  return app
}

/** The one place where an error becomes an HTTP answer. What is not ours is `SB_INTERNAL` and shows nothing of itself. */
export function problemOfError(error: unknown): Problem {
  if (error instanceof AppError) {
    const { code, message, details, retryable } = error
    return { ...problemOf(code, message, details), retryable }
  }
  const fromFramework = frameworkCodeOf(error as FastifyError)
  if (fromFramework) return problemOf(fromFramework, (error as Error).message)
  return problemOf('SB_INTERNAL', 'something went wrong here; the log has the details')
}

export function problemOf(
  code: ErrorCode,
  detail: string,
  errors: AppError['details'] = [],
): Problem {
  return {
    type: `urn:signalbox:error:${code}`,
    title: TITLES[ERROR_CODES[code]] ?? 'Error',
    status: ERROR_CODES[code],
    code,
    detail,
    retryable: false,
    ...(errors.length > 0 ? { errors: [...errors] } : {}),
  }
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer')
  if (problem.status === 503) void reply.header('retry-after', '1')
  return reply.code(problem.status).type(PROBLEM_MEDIA_TYPE).send(JSON.stringify(problem))
}

/** The bearer credential of a request, or undefined. */
export function bearerOf(request: Pick<FastifyRequest, 'headers'>): string | undefined {
  const match = /^Bearer +([^\s]+)$/i.exec(request.headers.authorization ?? '')
  return match?.[1]
}

export function requireJsonObject(body: unknown): Record<string, unknown> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body))
    return body as Record<string, unknown>
  throw new InvalidInputError('the request body must be a JSON object')
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  413: 'Payload Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

function frameworkCodeOf(error: Partial<FastifyError>): ErrorCode | undefined {
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return 'SB_TOO_LARGE'
  if (error.code === 'FST_ERR_MAX_PARAM_LENGTH') return 'SB_TOO_LARGE'
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return 'SB_UNSUPPORTED_MEDIA_TYPE'
  if (error.name === 'SyntaxError' && error.statusCode === 400) return 'SB_INVALID_JSON'
  if (error.code?.startsWith('FST_ERR_CTP_') && error.statusCode === 400) return 'SB_INVALID_JSON'
  if (error.validation || error.statusCode === 400) return 'SB_INVALID_INPUT'
  return undefined
}

/** Without the query: it may carry a token. */
function pathOf(request: FastifyRequest): string {
  return request.url.split('?')[0] ?? ''
}

/** The page, and what only it asks for: what to show first, its person's token, the messages to them. */
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import { servedModules } from '@signalbox/client/served'
import { keySchema } from '@signalbox/contracts'
import { AuthError, issueToken, parseInput } from '@signalbox/kit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Access } from './access.ts'
import { edgeAddress } from './edge-address.ts'
import type { Mailboxes, Message } from './mailboxes.ts'
import type { PollStore } from './poll-store.ts'
import { type Session, sessionView } from './session.ts'
import type { Sessions } from './sessions.ts'

const PUBLIC_FOLDER = join(import.meta.dirname, '..', 'public')
/** The page asks for another before it ends. */
const TOKEN_TTL_S = 3_600

export interface PageRoutesOptions {
  accountKey: string
  tokenSecret: string
  /** Default: the page's own host, port 8081. */
  publicEdgeUrl?: string
  /** The poll of a page that names none. */
  pagePollKey: string
  isDemoSmsGatewayEnabled: boolean
}

export interface PageRoutesDeps {
  access: Access
  polls: Pick<PollStore, 'get'>
  sessions: Pick<Sessions, 'latestOf'>
  mailboxes: Pick<Mailboxes, 'messagesTo'>
}

export function addPageRoutes(
  app: FastifyInstance,
  options: PageRoutesOptions,
  { access, polls, sessions, mailboxes }: PageRoutesDeps,
): void {
  const { accountKey, tokenSecret, pagePollKey, isDemoSmsGatewayEnabled } = options
  const querySchema = z.object({ poll: keySchema.default(pagePollKey) })

  const edgeOf = (request: FastifyRequest) =>
    edgeAddress(options.publicEdgeUrl, {
      host: request.host,
      isSecure: request.protocol === 'https',
    })
  const personOf = (request: FastifyRequest): string | undefined => {
    const caller = access.callerOf(request)
    return caller.kind === 'person' ? caller.personKey : undefined
  }

  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({
      'content-security-policy': contentSecurityPolicy(edgeOf(request)),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    })
  })
  void app.register(fastifyStatic, { root: PUBLIC_FOLDER, wildcard: false, dotfiles: 'ignore' })
  for (const [name, code] of servedModules()) {
    app.get(`/client/${name}`, (_request, reply) =>
      reply.type('text/javascript; charset=utf-8').header('cache-control', 'no-cache').send(code),
    )
  }

  app.get('/v1/page', async (request, reply) => {
    const poll = await polls.get(parseInput(querySchema, request.query, 'query').poll)
    const personKey = personOf(request)
    const session =
      personKey === undefined ? undefined : await sessions.latestOf(poll.poll_key, personKey)
    return reply.header('cache-control', 'no-store').send({
      poll: { poll_key: poll.poll_key, title: poll.title, questions: poll.questions.length },
      session: session ? sessionView(session) : null,
      demo_sms_gateway: isDemoSmsGatewayEnabled,
    })
  })

  /** Opens the live channel of the person of this browser, and of nobody else: no request can name another. */
  app.post('/v1/token', async (request, reply) => {
    const personKey = access.ensurePerson(request, reply)
    const issued = await issueToken(tokenSecret, { accountKey, personKey }, TOKEN_TTL_S)
    return reply
      .header('cache-control', 'no-store')
      .send({ ...issued, person_key: personKey, edge_url: edgeOf(request) ?? null })
  })

  app.get('/v1/messages', async (request, reply) => {
    const pollKey = parseInput(querySchema, request.query, 'query').poll
    const personKey = personOf(request)
    if (personKey === undefined) {
      throw new AuthError('SB_UNAUTHENTICATED', 'this needs the cookie of a person')
    }
    const session = isDemoSmsGatewayEnabled
      ? await sessions.latestOf(pollKey, personKey)
      : undefined
    const messages = [...(await mailboxes.messagesTo(personKey)), ...(await smsOf(session))]
    return reply
      .header('cache-control', 'no-store')
      .send({ messages: messages.toSorted((a, b) => a.at.localeCompare(b.at)) })
  })

  /** What was sent to the number since the session began: an earlier owner's messages are not theirs. */
  async function smsOf(session: Session | undefined): Promise<Message[]> {
    if (session?.msisdn === undefined) return []
    const all = await mailboxes.messagesTo(session.msisdn)
    return all.filter(({ at }) => at >= session.started_at)
  }
}

/** Nothing but our own files, and the one socket. */
function contentSecurityPolicy(edgeUrl: string | undefined): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src 'self'${edgeUrl === undefined ? '' : ` ${edgeUrl}`}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

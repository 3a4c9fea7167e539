/** Answering a poll over HTTP: the person's own browser, or whoever has the admin key on a person's behalf. */
import { keySchema, msisdnSchema, nameSchema } from '@signalbox/contracts'
import { AuthError, parseInput } from '@signalbox/kit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Access } from './access.ts'
import { sessionView } from './session.ts'
import type { Sessions } from './sessions.ts'

const beginningSchema = z.strictObject({
  person_key: keySchema.exactOptional(),
  msisdn: msisdnSchema.exactOptional(),
})
const answerSchema = z.strictObject({ question: nameSchema, answer: z.unknown() })

export interface SessionRoutesDeps {
  access: Access
  sessions: Pick<Sessions, 'begin' | 'get' | 'answer' | 'exit'>
}

interface OfPoll {
  Params: { poll_key: string }
}
interface OfSession {
  Params: { poll_key: string; session_id: string }
}

export function addSessionRoutes(
  app: FastifyInstance,
  { access, sessions }: SessionRoutesDeps,
): void {
  const ownSession = async (request: FastifyRequest<OfSession>) => {
    const caller = access.callerOf(request)
    const { poll_key, session_id } = request.params
    return access.requireOwn(await sessions.get(poll_key, session_id), caller)
  }

  app.post<OfPoll>('/v1/polls/:poll_key/sessions', async (request, reply) => {
    const { person_key, msisdn } = parseInput(beginningSchema, request.body ?? {}, 'session')
    const personKey = whoBegins(request, reply, person_key)
    const { session, isNew } = await sessions.begin(request.params.poll_key, {
      personKey,
      ...(msisdn === undefined ? {} : { msisdn }),
    })
    return reply.code(isNew ? 201 : 200).send(sessionView(session))
  })
  app.get<OfSession>('/v1/polls/:poll_key/sessions/:session_id', async (request) =>
    sessionView(await ownSession(request)),
  )
  app.post<OfSession>('/v1/polls/:poll_key/sessions/:session_id/answers', async (request) => {
    const { session_id } = await ownSession(request)
    const answer = parseInput(answerSchema, request.body, 'answer')
    return sessionView(await sessions.answer(request.params.poll_key, session_id, answer))
  })
  app.post<OfSession>('/v1/polls/:poll_key/sessions/:session_id/exit', async (request) => {
    const { session_id } = await ownSession(request)
    return sessionView(await sessions.exit(request.params.poll_key, session_id))
  })

  /** Only the admin key may name a person; a browser begins for the person of its cookie. */
  function whoBegins(
    request: FastifyRequest,
    reply: FastifyReply,
    named: string | undefined,
  ): string {
    if (access.callerOf(request).kind === 'admin') {
      return parseInput(z.object({ person_key: keySchema }), { person_key: named }, 'session')
        .person_key
    }
    const own = access.ensurePerson(request, reply)
    if (named === undefined || named === own) return own
    throw new AuthError(
      'SB_FORBIDDEN',
      'person_key: only the admin key may begin for another person',
    )
  }
}

/** Poll definitions over HTTP, for whoever has the admin key. */
import { parseInput, requireJsonObject } from '@signalbox/kit'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Access } from './access.ts'
import type { PollStore } from './poll-store.ts'

const pageSchema = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).exactOptional(),
  cursor: z.string().max(1_024).exactOptional(),
})

export interface PollRoutesDeps {
  access: Pick<Access, 'requireAdmin'>
  polls: PollStore
}

export function addPollRoutes(app: FastifyInstance, { access, polls }: PollRoutesDeps): void {
  app.get('/v1/polls', async (request) => {
    access.requireAdmin(request)
    return polls.list(parseInput(pageSchema, request.query, 'query'))
  })
  app.get<{ Params: { poll_key: string } }>('/v1/polls/:poll_key', async (request) => {
    access.requireAdmin(request)
    return polls.get(request.params.poll_key)
  })
  app.put<{ Params: { poll_key: string } }>('/v1/polls/:poll_key', async (request) => {
    access.requireAdmin(request)
    return polls.put(request.params.poll_key, requireJsonObject(request.body))
  })
}

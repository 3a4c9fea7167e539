/** What happened to events: recent ones, and the biography of one. */
import {
  biographySchema,
  eventOutcomeSchema,
  eventSummarySchema,
  keySchema,
  nameSchema,
} from '@signalbox/contracts'
import { NotFoundError } from '@signalbox/kit'
import type { BiographyStore, EventFilter } from '@signalbox/store'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { accountParamsSchema } from './input.ts'
import { pageQuerySchema, pageSchemaOf } from './paging.ts'
import { PROBLEMS } from './problems.ts'

export interface BiographiesDeps {
  biographies: Pick<BiographyStore, 'get' | 'list' | 'forgotten'>
}

const querySchema = pageQuerySchema.extend({
  conversation_type: nameSchema.exactOptional(),
  event_type: nameSchema.exactOptional(),
  conversation_key: keySchema.exactOptional(),
  person_key: keySchema.exactOptional(),
  outcome: eventOutcomeSchema.exactOptional(),
})

const listSchema = pageSchemaOf(eventSummarySchema).extend({
  forgotten: z.int().meta({ description: 'How many older events are no longer kept.' }),
})

export const biographies: FastifyPluginAsyncZod<BiographiesDeps> = async (
  app,
  { biographies: store },
) => {
  app.get(
    '/events',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listEvents',
        summary: 'Recent events, newest first',
        tags: ['events'],
        params: accountParamsSchema,
        querystring: querySchema,
        response: { 200: listSchema, ...PROBLEMS },
      },
    },
    async ({ params, query }) => {
      const { conversation_type, event_type, conversation_key, person_key, outcome, ...page } =
        query
      const filter: EventFilter = {
        ...(conversation_type && { conversationType: conversation_type }),
        ...(event_type && { eventType: event_type }),
        ...(conversation_key && { conversationKey: conversation_key }),
        ...(person_key && { personKey: person_key }),
        ...(outcome && { outcome }),
      }
      const [found, forgotten] = await Promise.all([
        store.list(params.account_key, filter, page),
        store.forgotten(params.account_key),
      ])
      return { ...found, forgotten }
    },
  )

  app.get(
    '/events/:event_id',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getEvent',
        summary: 'The biography of one event: what it matched, each step of each run, how it ended',
        tags: ['events'],
        params: accountParamsSchema.extend({ event_id: keySchema }),
        response: { 200: biographySchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key, event_id } }) => {
      const biography = await store.get(account_key, event_id)
      if (biography) return biography
      throw new NotFoundError(
        `there is no event "${event_id}": it has not reached the dispatcher, or is no longer kept`,
      )
    },
  )
}

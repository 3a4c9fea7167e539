/** What was delivered to listeners, and sending it again. */
import {
  completeEvent,
  DELIVERY_OUTCOMES,
  deliverySchema,
  jsonObjectSchema,
  keySchema,
  nameSchema,
  timestampSchema,
  uuidv7,
} from '@signalbox/contracts'
import type { BiographyStore, DeliveryFilter, DeliveryStore } from '@signalbox/store'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { accountParamsSchema } from './input.ts'
import type { ListenerKeeping } from './listener-keeping.ts'
import { withNextRetries } from './next-retries.ts'
import { pageQuerySchema, pageSchemaOf } from './paging.ts'
import { PROBLEMS } from './problems.ts'
import type { Resends } from './resends.ts'

export interface DeliveriesDeps {
  keeping: Pick<ListenerKeeping, 'find'>
  deliveries: Pick<DeliveryStore, 'list' | 'ofEvent' | 'counts'>
  biographies: Pick<BiographyStore, 'get'>
  resends: Resends
}

const paramsSchema = accountParamsSchema.extend({ listener_id: nameSchema })

const outcomeSchema = z
  .enum([...DELIVERY_OUTCOMES, 'failed'])
  .meta({ description: '`failed`: every outcome but `delivered`.' })
const timesShape = {
  since: timestampSchema.exactOptional().meta({ description: 'Begun then or later.' }),
  until: timestampSchema.exactOptional().meta({ description: 'Begun before.' }),
}

const listSchema = pageSchemaOf(deliverySchema).extend({
  forgotten: z.int().meta({ description: 'How many older deliveries are no longer kept.' }),
})

const resentSchema = z.object({ event_id: keySchema, run_id: keySchema })

const requestIdSchema = keySchema.exactOptional().meta({
  description: 'Asking again with the same sends nothing twice; made when absent.',
})
const outcomeShape = {
  request_id: keySchema,
  sent: z.int(),
  skipped: z.int(),
  gone: z.int().meta({ description: 'Events that are no longer kept.' }),
  failed: z.int(),
  errors: z.array(z.object({ event_id: z.string(), code: z.string(), message: z.string() })),
}

const replaySchema = z.strictObject({
  since: timestampSchema,
  until: timestampSchema,
  outcome: z
    .enum(['failed', 'any'])
    .default('failed')
    .meta({ description: '`failed`: events that were not delivered since.' }),
  request_id: requestIdSchema,
  limit: pageQuerySchema.shape.limit,
  cursor: pageQuerySchema.shape.cursor,
})

const republishSchema = z
  .strictObject({
    conversation_key: keySchema,
    since: timestampSchema.exactOptional().meta({ description: 'Received then or later.' }),
    after_event_id: keySchema.exactOptional().meta({ description: 'Received after this event.' }),
    request_id: requestIdSchema,
    limit: pageQuerySchema.shape.limit,
  })
  .refine(
    ({ since, after_event_id }) => (since === undefined) !== (after_event_id === undefined),
    'must have either since or after_event_id',
  )

const testSchema = z.strictObject({
  conversation_type: nameSchema.default('signalbox'),
  event_type: nameSchema.default('listener_test'),
  conversation_key: keySchema.exactOptional().meta({ description: 'Default: the listener_id.' }),
  person_key: keySchema.exactOptional(),
  event_data: jsonObjectSchema.default({ message: 'This is a test.' }),
})

export const deliveries: FastifyPluginAsyncZod<DeliveriesDeps> = async (
  app,
  { keeping, deliveries: store, biographies, resends },
) => {
  app.get(
    '/listeners/:listener_id/deliveries',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listDeliveries',
        summary: 'The attempts to deliver to a listener, newest first',
        tags: ['listeners'],
        params: paramsSchema,
        querystring: pageQuerySchema.extend({
          outcome: outcomeSchema.exactOptional(),
          event_id: keySchema.exactOptional(),
          ...timesShape,
        }),
        response: { 200: listSchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key, listener_id }, query }) => {
      const { limit, cursor, outcome, event_id, since, until } = query
      await keeping.find(account_key, listener_id)
      const filter: DeliveryFilter = {
        ...(outcome && { outcome }),
        ...(event_id && { eventId: event_id }),
        ...(since && { sinceMs: Date.parse(since) }),
        ...(until && { untilMs: Date.parse(until) }),
      }
      const page = cursor === undefined ? { limit } : { limit, cursor }
      const [found, { forgotten }] = await Promise.all([
        store.list(account_key, listener_id, filter, page),
        store.counts(account_key, listener_id),
      ])
      return {
        ...found,
        items: await withNextRetries(account_key, found.items, biographies),
        forgotten,
      }
    },
  )

  app.get(
    '/events/:event_id/deliveries',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listDeliveriesOfEvent',
        summary: 'The attempts to deliver an event to listeners, in their order; the latest 1,000',
        tags: ['listeners'],
        params: accountParamsSchema.extend({ event_id: keySchema }),
        response: { 200: z.object({ items: z.array(deliverySchema) }), ...PROBLEMS },
      },
    },
    async ({ params: { account_key, event_id } }) => ({
      items: await withNextRetries(
        account_key,
        await store.ofEvent(account_key, event_id),
        biographies,
      ),
    }),
  )

  app.post(
    '/listeners/:listener_id/test',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'testListener',
        summary: 'Send an event to this listener alone, whatever it listens to',
        tags: ['listeners'],
        params: paramsSchema,
        body: testSchema,
        response: { 202: resentSchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key, listener_id }, body }, reply) => {
      const event = completeEvent({ conversation_key: listener_id, ...body, account_key })
      return reply.code(202).send(await resends.test(account_key, listener_id, event))
    },
  )

  app.post(
    '/listeners/:listener_id/deliveries/:delivery_id/retry',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'retryDelivery',
        summary: 'Deliver the event again now, by a run of its own; a second call does nothing',
        tags: ['listeners'],
        params: paramsSchema.extend({ delivery_id: keySchema }),
        body: z.strictObject({}),
        response: { 202: resentSchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key, listener_id, delivery_id } }, reply) =>
      reply.code(202).send(await resends.retry(account_key, listener_id, delivery_id)),
  )

  app.post(
    '/listeners/:listener_id/replay',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'replayDeliveries',
        summary: 'Deliver the events of a time range again, in pages of `limit` deliveries',
        tags: ['listeners'],
        params: paramsSchema,
        body: replaySchema,
        response: {
          202: z.object({ ...outcomeShape, next: pageQuerySchema.shape.cursor }),
          ...PROBLEMS,
        },
      },
    },
    async ({ params: { account_key, listener_id }, body }, reply) => {
      const { since, until, outcome, request_id = uuidv7(), limit, cursor } = body
      const answer = await resends.replay(account_key, listener_id, {
        requestId: request_id,
        filter: {
          sinceMs: Date.parse(since),
          untilMs: Date.parse(until),
          ...(outcome === 'failed' ? { outcome } : {}),
        },
        limit,
        cursor,
      })
      return reply.code(202).send({ request_id, ...answer })
    },
  )

  app.post(
    '/listeners/:listener_id/republish',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'republishEvents',
        summary:
          'Send what the listener missed of a conversation: its events since a time or an event, the oldest first',
        tags: ['listeners'],
        params: paramsSchema,
        body: republishSchema,
        response: {
          202: z.object({
            ...outcomeShape,
            next: keySchema
              .exactOptional()
              .meta({ description: 'More wait: ask again with this as `after_event_id`.' }),
          }),
          ...PROBLEMS,
        },
      },
    },
    async ({ params: { account_key, listener_id }, body }, reply) => {
      const { conversation_key, since, after_event_id, request_id = uuidv7(), limit } = body
      const answer = await resends.republish(account_key, listener_id, {
        requestId: request_id,
        conversationKey: conversation_key,
        from:
          since === undefined ? { afterEventId: after_event_id! } : { sinceMs: Date.parse(since) },
        limit,
      })
      return reply.code(202).send({ request_id, ...answer })
    },
  )
}

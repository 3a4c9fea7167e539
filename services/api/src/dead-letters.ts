/** Dead letters: what could not be completed, by cause; and what can be done about it. */
import {
  deadLetterGroupSchema,
  deadLetterStateSchema,
  deadLetterSummarySchema,
  jsonObjectSchema,
  keptDeadLetterSchema,
  keySchema,
  nameSchema,
  timestampSchema,
} from '@signalbox/contracts'
import type { DeadLetterFilter, DeadLetterStore, HandlerCatalog } from '@signalbox/store'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { checkConfig, editedEvent } from './dead-letter-edits.ts'
import { accountParamsSchema } from './input.ts'
import { pageQuerySchema, pageSchemaOf } from './paging.ts'
import { PROBLEMS } from './problems.ts'
import type { Replays } from './replays.ts'

export interface DeadLettersDeps {
  deadLetters: Pick<DeadLetterStore, 'get' | 'list' | 'groups' | 'forgotten'>
  catalog: Pick<HandlerCatalog, 'list'>
  replays: Replays
}

const paramsSchema = accountParamsSchema.extend({ dead_letter_id: keySchema })

const filterShape = {
  code: z.string().min(1).max(64).exactOptional(),
  handler: nameSchema.exactOptional(),
  chain_id: nameSchema.exactOptional(),
  conversation_type: nameSchema.exactOptional(),
  event_type: nameSchema.exactOptional(),
  event_id: keySchema.exactOptional(),
  since: timestampSchema.exactOptional().meta({ description: 'Failed then or later.' }),
  until: timestampSchema.exactOptional().meta({ description: 'Failed before.' }),
}
const filterSchema = z.strictObject(filterShape)
const stateShape = { state: deadLetterStateSchema.exactOptional() }

const listSchema = pageSchemaOf(deadLetterSummarySchema).extend({
  forgotten: z.int().meta({ description: 'How many fell off, too old or too many.' }),
})

const fromSchema = z
  .enum(['failed_step', 'start'])
  .default('failed_step')
  .meta({ description: 'Go on where the run failed, or run the chain as it is now anew.' })

const bulkSchema = z
  .strictObject({
    from: fromSchema,
    filter: filterSchema.exactOptional(),
    group: deadLetterGroupSchema
      .pick({ code: true, handler: true, chain_id: true })
      .exactOptional()
      .meta({
        description: 'As `GET /dead-letters/groups` has it; what it leaves out has to be absent.',
      }),
    all: z.literal(true).exactOptional(),
    limit: pageQuerySchema.shape.limit,
    cursor: pageQuerySchema.shape.cursor,
  })
  .refine(
    ({ filter, group, all }) => [filter, group, all].filter((of) => of !== undefined).length === 1,
    'must have exactly one of filter, group and all',
  )

const bulkOutcomeSchema = z.object({
  replayed: z.int(),
  failed: z.int(),
  errors: z.array(z.object({ dead_letter_id: z.string(), code: z.string(), message: z.string() })),
  next: z
    .string()
    .exactOptional()
    .meta({ description: 'More may wait: send the same again with this as `cursor`.' }),
})

const editSchema = z
  .strictObject({
    event: jsonObjectSchema.exactOptional(),
    config: jsonObjectSchema.exactOptional(),
  })
  .refine(
    ({ event, config }) => (event === undefined) !== (config === undefined),
    'must have either event or config',
  )

export const deadLetters: FastifyPluginAsyncZod<DeadLettersDeps> = async (
  app,
  { deadLetters: store, catalog, replays },
) => {
  app.get(
    '/dead-letters',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listDeadLetters',
        summary: 'What could not be completed, newest first, without the messages themselves',
        tags: ['dead letters'],
        params: accountParamsSchema,
        querystring: pageQuerySchema.extend({ ...filterShape, ...stateShape }),
        response: { 200: listSchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key }, query }) => {
      const { limit, cursor, ...filter } = query
      const page = cursor === undefined ? { limit } : { limit, cursor }
      const [found, forgotten] = await Promise.all([
        store.list(account_key, filterOf(filter), page),
        store.forgotten(account_key),
      ])
      return { ...found, forgotten }
    },
  )

  app.get(
    '/dead-letters/groups',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'groupDeadLetters',
        summary: 'Dead letters by their cause (code, handler and chain), the most frequent first',
        tags: ['dead letters'],
        params: accountParamsSchema,
        querystring: z.strictObject({ ...filterShape, ...stateShape }),
        response: { 200: z.object({ items: z.array(deadLetterGroupSchema) }), ...PROBLEMS },
      },
    },
    async ({ params: { account_key }, query }) => ({
      items: await store.groups(account_key, filterOf(query)),
    }),
  )

  app.get(
    '/dead-letters/:dead_letter_id',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getDeadLetter',
        summary: 'One dead letter, with the message',
        tags: ['dead letters'],
        params: paramsSchema,
        response: { 200: keptDeadLetterSchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key, dead_letter_id } }) =>
      replays.find(account_key, dead_letter_id),
  )

  app.post(
    '/dead-letters/:dead_letter_id/replay',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'replayDeadLetter',
        summary:
          'Let a run go on from the step that failed, or from the start; a second call does nothing',
        tags: ['dead letters'],
        params: paramsSchema,
        body: z.strictObject({ from: fromSchema }),
        response: { 200: deadLetterSummarySchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key, dead_letter_id }, body }) =>
      replays.replayFrom(account_key, dead_letter_id, body.from),
  )

  app.post(
    '/dead-letters/replay',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'replayDeadLetters',
        summary: 'Replay the open ones of a filter, of a group, or all, in pages of `limit`',
        tags: ['dead letters'],
        params: accountParamsSchema,
        body: bulkSchema,
        response: { 200: bulkOutcomeSchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key }, body: { from, filter = {}, group, limit, cursor } }) =>
      replays.replayPage(account_key, {
        filter: group
          ? { code: group.code, handler: group.handler ?? null, chainId: group.chain_id ?? null }
          : filterOf(filter),
        from,
        limit,
        ...(cursor === undefined ? {} : { cursor }),
      }),
  )

  app.post(
    '/dead-letters/:dead_letter_id/edit-and-replay',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'editAndReplayDeadLetter',
        summary: 'Publish a changed event in its place, or go on with a changed config of the step',
        tags: ['dead letters'],
        params: paramsSchema,
        body: editSchema,
        response: { 200: deadLetterSummarySchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key, dead_letter_id }, body: { event, config } }) => {
      const letter = await replays.find(account_key, dead_letter_id)
      if (event) {
        const edited = editedEvent(event, account_key)
        return replays.replay(letter, { kind: 'edited_event', event: edited })
      }
      const edited = config ?? {}
      checkConfig(letter, edited, await catalog.list())
      return replays.replay(letter, { kind: 'edited_config', config: edited })
    },
  )

  app.post(
    '/dead-letters/:dead_letter_id/discard',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'discardDeadLetter',
        summary: 'Say that nothing is to be done about it, and why',
        tags: ['dead letters'],
        params: paramsSchema,
        body: z.strictObject({ reason: z.string().min(1).max(1_000) }),
        response: { 200: deadLetterSummarySchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key, dead_letter_id }, body: { reason } }) =>
      replays.discard(account_key, dead_letter_id, reason),
  )
}

type Query = z.infer<typeof filterSchema> & Pick<DeadLetterFilter, 'state'>

function filterOf(query: Query): DeadLetterFilter {
  const { chain_id, conversation_type, event_type, event_id, since, until, ...same } = query
  return {
    ...same,
    ...(chain_id && { chainId: chain_id }),
    ...(conversation_type && { conversationType: conversation_type }),
    ...(event_type && { eventType: event_type }),
    ...(event_id && { eventId: event_id }),
    ...(since && { sinceMs: Date.parse(since) }),
    ...(until && { untilMs: Date.parse(until) }),
  }
}

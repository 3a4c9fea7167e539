/** The account's listeners: callbacks over HTTP and AMQP, and what they are signed with. */
import {
  deliveryCountsSchema,
  type Listener,
  listenerDocumentSchema,
  listenerInputSchema,
  listenerSchema,
  nameSchema,
  SIGNATURE_SCHEMES,
  timestampSchema,
} from '@signalbox/contracts'
import { NotFoundError, parseInput } from '@signalbox/kit'
import type { DeliveryStore, KeptListener } from '@signalbox/store'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { accountParamsSchema, exceptBody } from './input.ts'
import type { ListenerKeeping } from './listener-keeping.ts'
import { pageQuerySchema, pageSchemaOf } from './paging.ts'
import { PROBLEMS } from './problems.ts'

export interface ListenersDeps {
  keeping: ListenerKeeping
  deliveries: Pick<DeliveryStore, 'counts'>
}

const paramsSchema = accountParamsSchema.extend({ listener_id: nameSchema })

const signingSchema = z
  .array(
    z.object({
      scheme: z.enum(SIGNATURE_SCHEMES),
      public_key: z.string().exactOptional(),
      until: timestampSchema.exactOptional(),
    }),
  )
  .meta({ description: 'What deliveries are signed with, the newest first.' })

const shownSchema = listenerSchema.extend({ signing: signingSchema }).meta({ id: 'ShownListener' })
const detailedSchema = shownSchema
  .extend({ deliveries: deliveryCountsSchema })
  .meta({ id: 'DetailedListener' })

const secretShape = {
  secret: z
    .string()
    .exactOptional()
    .meta({ description: '`whsec_…`: what verifies deliveries. It is not shown again.' }),
  public_key: z
    .string()
    .exactOptional()
    .meta({ description: 'Instead of `secret` where deliveries are signed with ed25519.' }),
}
const createdSchema = shownSchema.extend(secretShape).meta({ id: 'CreatedListener' })
const rotatedSchema = createdSchema
  .extend({ old_secret_until: timestampSchema })
  .meta({ id: 'RotatedListener' })

const rotationSchema = z.strictObject({
  old_secret_hours: z
    .number()
    .min(0)
    .max(168)
    .default(24)
    .meta({ description: 'How long the secret before signs too.' }),
  signature: z.enum(SIGNATURE_SCHEMES).exactOptional(),
})

export const listeners: FastifyPluginAsyncZod<ListenersDeps> = async (
  app,
  { keeping, deliveries },
) => {
  app.get(
    '/listeners',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listListeners',
        summary: 'The listeners of the account, by listener_id',
        tags: ['listeners'],
        params: accountParamsSchema,
        querystring: pageQuerySchema,
        response: { 200: pageSchemaOf(shownSchema), ...PROBLEMS },
      },
    },
    async ({ params, query }) => {
      const { items, ...rest } = await keeping.list(params.account_key, query)
      return { items: items.map(shown), ...rest }
    },
  )

  await app.register(written, { keeping, deliveries })

  app.get(
    '/listeners/:listener_id',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getListener',
        summary: 'One listener, with the counts of its deliveries',
        tags: ['listeners'],
        params: paramsSchema,
        response: { 200: detailedSchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key, listener_id } }) => {
      const kept = await keeping.find(account_key, listener_id)
      return { ...shown(kept), deliveries: await deliveries.counts(account_key, listener_id) }
    },
  )

  app.delete(
    '/listeners/:listener_id',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'deleteListener',
        summary:
          'Delete a listener and the record of its deliveries; what waits for it is not sent',
        tags: ['listeners'],
        params: paramsSchema,
        response: { 204: z.undefined().meta({ description: 'Deleted.' }), ...PROBLEMS },
      },
    },
    async ({ params: { account_key, listener_id } }, reply) => {
      if (!(await keeping.delete(account_key, listener_id))) {
        throw new NotFoundError(`there is no listener "${listener_id}"`)
      }
      return reply.code(204).send()
    },
  )

  for (const { action, state, summary } of STATE_ACTIONS) {
    app.post(
      `/listeners/:listener_id/${action}`,
      {
        config: { access: 'manage' },
        schema: {
          operationId: `${action}Listener`,
          summary,
          tags: ['listeners'],
          params: paramsSchema,
          body: z.strictObject({}),
          response: { 200: shownSchema, ...PROBLEMS },
        },
      },
      async ({ params: { account_key, listener_id } }) =>
        shown(await keeping.setState(account_key, listener_id, state)),
    )
  }

  app.post(
    '/listeners/:listener_id/rotate-secret',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'rotateListenerSecret',
        summary: 'Make a new secret, shown in this answer only; the old one signs too for a while',
        tags: ['listeners'],
        params: paramsSchema,
        body: rotationSchema,
        response: { 200: rotatedSchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key, listener_id }, body }) => {
      const kept = await keeping.rotateSecret(account_key, listener_id, {
        oldSecretHours: body.old_secret_hours,
        scheme: body.signature,
      })
      return { ...shown(kept), ...kept.shown, old_secret_until: kept.oldSecretUntil }
    },
  )
}

const STATE_ACTIONS = [
  {
    action: 'pause',
    state: 'paused',
    summary:
      'Start no deliveries until it is resumed; those under way wait as long as their retries last',
  },
  {
    action: 'resume',
    state: 'active',
    summary: 'Deliver again, after a pause or after it was disabled',
  },
] as const

/** Routes whose body may be written in several ways. */
const written: FastifyPluginAsyncZod<ListenersDeps> = async (app, { keeping }) => {
  app.setValidatorCompiler(exceptBody)
  const read = (body: unknown) => parseInput(listenerInputSchema, body, 'the listener')

  app.post(
    '/listeners',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'createListener',
        summary:
          "Register a listener; its secret is shown in this answer only. Mistral's own shape is taken as well",
        tags: ['listeners'],
        params: accountParamsSchema,
        body: listenerDocumentSchema,
        response: { 201: createdSchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key }, body }, reply) => {
      const kept = await keeping.create(account_key, read(body))
      return reply.code(201).send({ ...shown(kept), ...kept.shown })
    },
  )

  app.put(
    '/listeners/:listener_id',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'putListener',
        summary:
          'Replace a listener; its secret and its state stay, and so does a value sent as `***`',
        tags: ['listeners'],
        params: paramsSchema,
        body: listenerDocumentSchema,
        response: { 200: shownSchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key, listener_id }, body }) =>
      shown(await keeping.replace(account_key, listener_id, read(body))),
  )
}

function shown({ listener, secrets }: KeptListener): Listener & z.infer<typeof shownSchema> {
  const signing = secrets.signing.map(({ sealed: _sealed, ...secret }) => secret)
  return { ...listener, signing }
}

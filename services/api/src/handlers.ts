/**
 * The handler catalog. Accounts read it; the administrator registers handlers that run outside the worker SDK, in any
 * language: consume the queue, publish results to each message's `reply_to`, and register again before `expires_at`.
 */
import type { Broker } from '@signalbox/broker'
import { compileConfigSchema } from '@signalbox/chains'
import {
  catalogEntrySchema,
  type FieldError,
  handlerDescriptionSchema,
  type JsonObject,
  keySchema,
  nameSchema,
  timestampSchema,
} from '@signalbox/contracts'
import { InvalidInputError, NotFoundError, summarise } from '@signalbox/kit'
import type { HandlerCatalog } from '@signalbox/store'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { accountParamsSchema } from './input.ts'
import { PROBLEMS } from './problems.ts'

export interface HandlersDeps {
  catalog: Pick<HandlerCatalog, 'list'>
}

export interface RegistrationDeps {
  broker: Pick<Broker, 'declare' | 'topology'>
  catalog: Pick<HandlerCatalog, 'register' | 'remove'>
  patienceMs: number
}

const MAX_BODY_BYTES = 128 * 1024

const paramsSchema = z.object({ name: nameSchema })

const { name: _name, ...describedShape } = handlerDescriptionSchema.shape
const registrationSchema = z.strictObject({
  ...describedShape,
  worker_id: keySchema
    .default('external')
    .meta({ description: 'Which of the workers that offer the handler this is.' }),
  ttl_seconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(300)
    .meta({ description: 'How long the worker counts as live unless it registers again.' }),
})

const registeredSchema = z.object({
  name: nameSchema,
  worker_id: keySchema,
  expires_at: timestampSchema,
  queue: z.string().meta({ description: 'Consume invocations from here.' }),
  exchange: z.string(),
  routing_key: z.string(),
})

/** Under an account. */
export const handlers: FastifyPluginAsyncZod<HandlersDeps> = async (app, { catalog }) => {
  app.get(
    '/handlers',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listHandlers',
        summary: 'The handlers that chains may use, with the schema of their config',
        tags: ['handlers'],
        params: accountParamsSchema,
        response: { 200: z.object({ items: z.array(catalogEntrySchema) }), ...PROBLEMS },
      },
    },
    async () => ({ items: await catalog.list() }),
  )
}

/** The installation's: for the admin key. */
export const registration: FastifyPluginAsyncZod<RegistrationDeps> = async (
  app,
  { broker, catalog, patienceMs },
) => {
  app.put(
    '/handlers/:name',
    {
      config: { access: 'admin' },
      bodyLimit: MAX_BODY_BYTES,
      schema: {
        operationId: 'registerHandler',
        summary: 'Offer a handler: declares its queue and lists it in the catalog',
        tags: ['handlers'],
        params: paramsSchema,
        body: registrationSchema,
        response: { 200: registeredSchema, ...PROBLEMS },
      },
    },
    async ({ params: { name }, body }) => {
      const { worker_id, ttl_seconds, ...described } = body
      requireJsonSchemas(described)
      const queue = broker.topology.handlerQueue(name)
      await broker.declare(queue, { patienceMs })
      const expiresAtMs = Date.now() + ttl_seconds * 1_000
      await catalog.register(
        { name, ...described },
        { workerId: worker_id, ttlMs: ttl_seconds * 1_000 },
      )
      return {
        name,
        worker_id,
        expires_at: new Date(expiresAtMs).toISOString(),
        queue: queue.name,
        exchange: broker.topology.exchange.handlers,
        routing_key: name,
      }
    },
  )

  app.delete(
    '/handlers/:name',
    {
      config: { access: 'admin' },
      schema: {
        operationId: 'removeHandler',
        summary: 'Forget a handler; its queue, and what is in it, stays',
        tags: ['handlers'],
        params: paramsSchema,
        response: { 204: z.undefined().meta({ description: 'Forgotten.' }), ...PROBLEMS },
      },
    },
    async ({ params: { name } }, reply) => {
      if (!(await catalog.remove(name))) throw new NotFoundError(`there is no handler "${name}"`)
      return reply.code(204).send()
    },
  )
}

function requireJsonSchemas(schemas: {
  config_schema: JsonObject
  output_schema?: JsonObject | undefined
}): void {
  const details: FieldError[] = []
  for (const path of ['config_schema', 'output_schema'] as const) {
    const schema = schemas[path]
    if (schema === undefined) continue
    try {
      compileConfigSchema(schema)
    } catch (error) {
      details.push({ path, message: `is not a JSON Schema: ${(error as Error).message}` })
    }
  }
  if (details.length > 0) throw new InvalidInputError(summarise(details), { details })
}

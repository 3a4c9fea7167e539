/** The account's chains. What is wrong with one is said here, when it is saved, and not when an event arrives. */
import { checkChain } from '@signalbox/chains'
import {
  type Chain,
  chainSchema,
  type FieldError,
  LIMITS,
  listenerIdOfChain,
  nameSchema,
  savedChainSchema,
  storedChainSchema,
} from '@signalbox/contracts'
import { ConflictError, InvalidInputError, NotFoundError, summarise } from '@signalbox/kit'
import type { ChainStore, HandlerCatalog, ListenerStore } from '@signalbox/store'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { accountParamsSchema, inputValidator } from './input.ts'
import { createLoopCheck } from './loops.ts'
import { pageQuerySchema, pageSchemaOf } from './paging.ts'
import { PROBLEMS } from './problems.ts'

export interface ChainsDeps {
  chains: Pick<ChainStore, 'get' | 'put' | 'delete' | 'list' | 'changesSince'>
  catalog: Pick<HandlerCatalog, 'list'>
  listeners: Pick<ListenerStore, 'get'>
}

const paramsSchema = accountParamsSchema.extend({ chain_id: nameSchema })
const putQuerySchema = z.strictObject({
  strict: z
    .stringbool('must be true or false')
    .default(false)
    .meta({ description: 'Refuse what would otherwise be saved with a warning.' }),
})
const chainPageSchema = pageSchemaOf(storedChainSchema)

export const chains: FastifyPluginAsyncZod<ChainsDeps> = async (
  app,
  { chains: store, catalog, listeners },
) => {
  const loops = createLoopCheck(store)
  app.setValidatorCompiler(inputValidator({ body: 'SB_INVALID_CHAIN' }))

  app.get(
    '/chains',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listChains',
        summary: 'The chains of the account, by chain_id',
        tags: ['chains'],
        params: accountParamsSchema,
        querystring: pageQuerySchema,
        response: { 200: chainPageSchema, ...PROBLEMS },
      },
    },
    async ({ params, query }) => store.list(params.account_key, query),
  )

  app.get(
    '/chains/:chain_id',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getChain',
        summary: 'One chain',
        tags: ['chains'],
        params: paramsSchema,
        response: { 200: storedChainSchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key, chain_id } }) => {
      const chain = await store.get(account_key, chain_id)
      if (chain) return chain
      throw new NotFoundError(`there is no chain "${chain_id}"`)
    },
  )

  app.put(
    '/chains/:chain_id',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'putChain',
        summary: 'Create or replace a chain; it holds for the next event',
        tags: ['chains'],
        params: paramsSchema,
        querystring: putQuerySchema,
        body: chainSchema,
        response: { 200: savedChainSchema, 201: savedChainSchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key, chain_id }, query, body: chain }, reply) => {
      const listenerId = listenerIdOfChain(chain_id)
      if (listenerId !== undefined) throw belongsToListener(chain_id, listenerId)
      requireChainSize(chain)
      const handlers = await catalog.list()
      requireNone(checkChain(chain, handlers))
      const warnings = await loops.warningsOf(account_key, { chain_id, ...chain }, handlers)
      if (query.strict) requireNone(warnings.map(({ message }) => ({ path: 'steps', message })))
      const isNew = (await store.get(account_key, chain_id)) === undefined
      const saved = await store.put(account_key, chain_id, chain)
      return reply
        .code(isNew ? 201 : 200)
        .send(warnings.length === 0 ? saved : { ...saved, warnings })
    },
  )

  app.delete(
    '/chains/:chain_id',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'deleteChain',
        summary: 'Delete a chain; runs that it started go on to their end',
        tags: ['chains'],
        params: paramsSchema,
        response: { 204: z.undefined().meta({ description: 'Deleted.' }), ...PROBLEMS },
      },
    },
    async ({ params: { account_key, chain_id } }, reply) => {
      const listenerId = listenerIdOfChain(chain_id)
      if (listenerId !== undefined && (await listeners.get(account_key, listenerId))) {
        throw belongsToListener(chain_id, listenerId)
      }
      if (!(await store.delete(account_key, chain_id))) {
        throw new NotFoundError(`there is no chain "${chain_id}"`)
      }
      return reply.code(204).send()
    },
  )
}

/** Throws `InvalidInputError` when it is larger than a chain may be. */
export function requireChainSize(chain: Chain): void {
  const bytes = Buffer.byteLength(JSON.stringify(chain))
  if (bytes <= LIMITS.maxChainBytes) return
  throw new InvalidInputError(
    `a chain of ${bytes} bytes is too large; it may have ${LIMITS.maxChainBytes}`,
    { code: 'SB_TOO_LARGE' },
  )
}

function belongsToListener(chainId: string, listenerId: string): ConflictError {
  return new ConflictError(
    `chains whose names begin with "listener-" are those of listeners: "${chainId}" is changed by changing the listener "${listenerId}"`,
  )
}

function requireNone(details: readonly FieldError[]): void {
  if (details.length === 0) return
  throw new InvalidInputError(`the chain is not valid: ${summarise(details)}`, {
    code: 'SB_INVALID_CHAIN',
    details,
  })
}

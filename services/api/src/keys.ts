/** The account's own API keys. */
import { apiKeySchema, nameSchema } from '@signalbox/contracts'
import { NotFoundError } from '@signalbox/kit'
import type { ApiKeyStore, RevocationStore } from '@signalbox/store'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { issueApiKey } from './credential.ts'
import { accountParamsSchema } from './input.ts'
import { PROBLEMS } from './problems.ts'

export interface KeysDeps {
  apiKeys: Pick<ApiKeyStore, 'create' | 'find' | 'list' | 'delete'>
  revocations: Pick<RevocationStore, 'revoke'>
}

/** As long as a token that was issued with the key may be valid, and a little longer. */
const REVOKED_MS = 25 * 3_600_000

const keyRequestSchema = z.strictObject(apiKeySchema.pick({ name: true, scopes: true }).shape)

const issuedKeySchema = apiKeySchema.extend({
  credential: z
    .string()
    .meta({ description: 'What to send as Authorization: Bearer. It is not shown again.' }),
})

export const keys: FastifyPluginAsyncZod<KeysDeps> = async (app, { apiKeys, revocations }) => {
  app.get(
    '/keys',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'listKeys',
        summary: 'The API keys of the account, without their secrets',
        tags: ['keys'],
        params: accountParamsSchema,
        response: { 200: z.object({ items: z.array(apiKeySchema) }), ...PROBLEMS },
      },
    },
    async ({ params }) => ({ items: await apiKeys.list(params.account_key) }),
  )

  app.post(
    '/keys',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'createKey',
        summary: 'Make an API key; its credential is shown in this answer only',
        tags: ['keys'],
        params: accountParamsSchema,
        body: keyRequestSchema,
        response: { 201: issuedKeySchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key }, body }, reply) => {
      const { key, secretHash, credential } = issueApiKey(account_key, body)
      await apiKeys.create(account_key, key, secretHash)
      return reply.code(201).send({ ...key, credential })
    },
  )

  app.delete(
    '/keys/:key_id',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'deleteKey',
        summary: 'Delete an API key; it is refused from then on, as are the tokens issued with it',
        tags: ['keys'],
        params: accountParamsSchema.extend({ key_id: nameSchema }),
        response: { 204: z.undefined().meta({ description: 'Deleted.' }), ...PROBLEMS },
      },
    },
    async ({ params: { account_key, key_id } }, reply) => {
      const notFound = () => new NotFoundError(`there is no key "${key_id}"`)
      if (!(await apiKeys.find(account_key, key_id))) throw notFound()
      // n.b. first: were the key gone and this failed, nobody could ask for it again.
      await revocations.revoke(account_key, { keyId: key_id }, REVOKED_MS)
      if (!(await apiKeys.delete(account_key, key_id))) throw notFound()
      return reply.code(204).send()
    },
  )
}

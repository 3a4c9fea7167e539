/** Tokens that open a WebSocket at the edge, for one person or for the whole account. */
import { timestampSchema, tokenRequestSchema, tokenRevocationSchema } from '@signalbox/contracts'
import { issueToken } from '@signalbox/kit'
import type { RevocationStore } from '@signalbox/store'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { accountParamsSchema } from './input.ts'
import { PROBLEMS } from './problems.ts'

export interface TokensOptions {
  tokenSecret: string
  revocations: Pick<RevocationStore, 'revoke'>
}

const issuedTokenSchema = z.object({
  token: z.string(),
  jti: z.string().meta({ description: 'By this the token can be revoked.' }),
  expires_at: timestampSchema,
})

/** `manage`, because a token is a credential, too. */
export const tokens: FastifyPluginAsyncZod<TokensOptions> = async (
  app,
  { tokenSecret, revocations },
) => {
  app.post(
    '/tokens',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'createToken',
        summary: 'A WebSocket token for one person, or with scope "account" for all of the account',
        tags: ['tokens'],
        params: accountParamsSchema,
        body: tokenRequestSchema,
        response: { 201: issuedTokenSchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key }, body: { person_key, ttl_seconds }, keyId }, reply) => {
      const subject = {
        accountKey: account_key,
        ...(person_key && { personKey: person_key }),
        ...(keyId && { keyId }),
      }
      return reply.code(201).send(await issueToken(tokenSecret, subject, ttl_seconds))
    },
  )

  app.post(
    '/tokens/revoke',
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'revokeTokens',
        summary:
          'Revoke one token, or all that a person has until now; their WebSockets are closed',
        tags: ['tokens'],
        params: accountParamsSchema,
        body: tokenRevocationSchema,
        response: { 204: z.undefined().meta({ description: 'Revoked.' }), ...PROBLEMS },
      },
    },
    async ({ params: { account_key }, body: { jti, person_key, ttl_seconds } }, reply) => {
      const target = jti === undefined ? { personKey: person_key! } : { jti }
      await revocations.revoke(account_key, target, ttl_seconds * 1_000)
      return reply.code(204).send()
    },
  )
}

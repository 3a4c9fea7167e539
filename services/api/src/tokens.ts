/** Tokens that open a WebSocket at the edge, for one person or for the whole account. */
import { timestampSchema, tokenRequestSchema } from '@signalbox/contracts'
import { issueToken } from '@signalbox/kit'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { accountParamsSchema } from './input.ts'
import { PROBLEMS } from './problems.ts'

export interface TokensOptions {
  tokenSecret: string
}

const issuedTokenSchema = z.object({ token: z.string(), expires_at: timestampSchema })

/** `manage`, because a token is a credential that outlives the key it was asked for with. */
export const tokens: FastifyPluginAsyncZod<TokensOptions> = async (app, { tokenSecret }) => {
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
    async ({ params: { account_key }, body: { person_key, ttl_seconds } }, reply) => {
      const subject = {
        accountKey: account_key,
        ...(person_key && { personKey: person_key }),
      }
      return reply.code(201).send(await issueToken(tokenSecret, subject, ttl_seconds))
    },
  )
}

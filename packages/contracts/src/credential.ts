/** API keys of accounts, and the tokens that open WebSockets. */
import { z } from 'zod'
import { keySchema, nameSchema, timestampSchema } from './names.ts'

export const API_SCOPES = ['publish', 'manage', 'read'] as const
export const apiScopeSchema = z.enum(API_SCOPES)

export const apiKeySchema = z
  .looseObject({
    key_id: nameSchema,
    name: z.string().min(1).max(200),
    scopes: z.array(apiScopeSchema).min(1),
    created_at: timestampSchema,
  })
  .meta({
    id: 'ApiKey',
    description: "An account's API key; the secret is shown once, when it is made.",
  })

export const tokenRequestSchema = z
  .strictObject({
    person_key: keySchema.optional(),
    scope: z.literal('account').optional(),
    ttl_seconds: z.int().min(1).max(86_400).default(3_600),
  })
  .refine((request) => (request.person_key === undefined) !== (request.scope === undefined), {
    message: 'needs either person_key or scope "account", not both',
    path: ['person_key'],
  })

/** The claims of a WebSocket token. `sub` is the person; with scope `account` it may be absent. */
export const tokenClaimsSchema = z.looseObject({
  account_key: nameSchema,
  sub: keySchema.optional(),
  scope: z.literal('account').optional(),
  exp: z.int(),
  iat: z.int().optional(),
})

export type ApiScope = z.infer<typeof apiScopeSchema>
export type ApiKey = z.infer<typeof apiKeySchema>
export type TokenRequest = z.input<typeof tokenRequestSchema>
export type TokenClaims = z.infer<typeof tokenClaimsSchema>

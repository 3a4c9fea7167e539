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

/**
 * The claims of a WebSocket token. `sub` is the person; with scope `account` it may be absent. By `jti`, `key_id` (the API key that it
 * was issued with) and `sub` it can be revoked.
 */
export const tokenClaimsSchema = z.looseObject({
  account_key: nameSchema,
  sub: keySchema.optional(),
  scope: z.literal('account').optional(),
  exp: z.int(),
  iat: z.number().optional(),
  jti: z.string().min(1).max(128).optional(),
  key_id: nameSchema.optional(),
})

/** Of `POST /tokens/revoke`: one token, or all of a person's until now. */
export const tokenRevocationSchema = z
  .strictObject({
    jti: z.string().min(1).max(128).optional(),
    person_key: keySchema.optional(),
    /** How long the token may still be valid for; our own last a day at most. */
    ttl_seconds: z.int().min(1).max(2_592_000).default(86_400),
  })
  .refine(({ jti, person_key }) => (jti === undefined) !== (person_key === undefined), {
    message: 'needs either jti or person_key, not both',
    path: ['jti'],
  })

export type ApiScope = z.infer<typeof apiScopeSchema>
export type ApiKey = z.infer<typeof apiKeySchema>
export type TokenRequest = z.input<typeof tokenRequestSchema>
export type TokenRevocation = z.input<typeof tokenRevocationSchema>
export type TokenClaims = z.infer<typeof tokenClaimsSchema>

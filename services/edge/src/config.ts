/** What the edge reads from its environment. */
import {
  brokerConfigShape,
  channelConfigShape,
  createJwksResolver,
  jwksFromFile,
  jwksFromUrl,
  type Log,
  portSchema,
  processConfigShape,
  relayConfigShape,
  secretSchema,
  storeConfigShape,
  TOKEN_AUDIENCE,
  type TokenIssuer,
} from '@signalbox/kit'
import { z } from 'zod'
import * as limits from './limits.ts'
import type { EdgeOptions } from './options.ts'

const count = (max: number, fallback: number) =>
  z.coerce.number().int().min(1).max(max).default(fallback)
const countOrNone = (max: number, fallback: number) =>
  z.coerce.number().int().min(0).max(max).default(fallback)

const originSchema = z
  .string()
  .refine((text) => URL.parse(text)?.origin === text, 'must be an origin, as https://example.org')

export const config = z.object({
  PORT: portSchema(8081),
  ...processConfigShape,
  ...brokerConfigShape,
  ...storeConfigShape,
  ...relayConfigShape,
  ...channelConfigShape,
  SIGNALBOX_TOKEN_SECRET: secretSchema.meta({
    description: 'Signs WebSocket tokens; the same at the api and at every edge.',
  }),
  SIGNALBOX_TOKEN_JWKS_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
    .optional()
    .meta({
      description:
        'Public keys (JWKS) of another issuer, whose tokens (RS256, ES256, EdDSA) are accepted beside our own.',
    }),
  SIGNALBOX_TOKEN_JWKS_FILE: z.string().optional().meta({
    description: 'The same from a file. Of the two the URL counts.',
  }),
  SIGNALBOX_TOKEN_ISSUER: z.string().optional().meta({
    description: "What `iss` of that issuer's tokens must be; absent: it is not looked at.",
  }),
  SIGNALBOX_TOKEN_AUDIENCE: z.string().default(TOKEN_AUDIENCE).meta({
    description: "What `aud` of that issuer's tokens must be or contain.",
  }),
  SIGNALBOX_EDGE_ID: z.string().max(128).optional().meta({
    description: 'Names this edge where connections are counted; absent: a random one.',
  }),
  SIGNALBOX_EDGE_ORIGINS: z
    .string()
    .transform((text) => text.split(',').map((entry) => entry.trim().toLowerCase()))
    .pipe(z.array(originSchema))
    .optional()
    .meta({
      description:
        'Origins whose pages may connect, as `https://example.org,https://example.com`; absent: all.',
    }),
  SIGNALBOX_TRUST_PROXY: countOrNone(10, 0).meta({
    description:
      "Proxies before the edge: so many of the last addresses in `X-Forwarded-For` are believed. 0: the connection's own address counts.",
  }),
  SIGNALBOX_EDGE_MAX_CONNECTIONS: count(1_000_000, limits.DEFAULT_MAX_CONNECTIONS).meta({
    description: 'WebSockets that one edge process holds open; more are answered 503.',
  }),
  SIGNALBOX_EDGE_MAX_CONNECTIONS_PER_ADDRESS: count(1_000_000, limits.DEFAULT_MAX_PER_ADDRESS).meta(
    {
      description:
        'Of those, from one address (of IPv6: from one /64); more are answered 429. Behind a proxy set `SIGNALBOX_TRUST_PROXY` too.',
    },
  ),
  SIGNALBOX_EDGE_MAX_CONNECTIONS_PER_ACCOUNT: count(1_000_000, limits.DEFAULT_MAX_PER_ACCOUNT).meta(
    { description: 'Of those, with tokens of one account; more are answered 429.' },
  ),
  SIGNALBOX_EDGE_MAX_CONNECTIONS_PER_PERSON: count(1_000_000, limits.DEFAULT_MAX_PER_PERSON).meta({
    description: 'Of those, with tokens for one person; more are answered 429.',
  }),
  SIGNALBOX_EDGE_ACCEPTS_PER_SECOND: countOrNone(100_000, limits.DEFAULT_ACCEPTS_PER_SECOND).meta({
    description:
      'New WebSockets per second, after a quiet time twice as many at once; more are answered 503 and told when to come back. 0: no limit.',
  }),
  SIGNALBOX_EDGE_FRAMES_PER_SECOND: countOrNone(100_000, limits.DEFAULT_FRAMES_PER_SECOND).meta({
    description:
      'Frames that one client may send per second, after a quiet time two and a half times as many at once; more are answered 429, then closed with 4003. 0: no limit.',
  }),
  SIGNALBOX_EDGE_MAX_SUBSCRIPTIONS: count(10_000, limits.DEFAULT_MAX_SUBSCRIPTIONS).meta({
    description: 'Subscriptions of one WebSocket; more are answered 429.',
  }),
  SIGNALBOX_EDGE_IDLE_SECONDS: countOrNone(86_400, limits.DEFAULT_MAX_IDLE_MS / 1_000).meta({
    description:
      'How long a WebSocket may be without a subscription and say nothing, before it is closed with 4004; 0: for ever.',
  }),
  SIGNALBOX_EDGE_JOIN_MS: countOrNone(1_000, limits.DEFAULT_JOIN_MS).meta({
    description:
      'How long a frame may wait to leave in one write with others to the same client, in milliseconds; up to ten times that where writing to everybody takes as long. 0: none waits.',
  }),
  SIGNALBOX_EDGE_MAX_BUFFERED_BYTES: z.coerce
    .number()
    .int()
    .min(64 * 1024)
    .max(1024 ** 3)
    .default(limits.DEFAULT_MAX_BUFFERED_BYTES)
    .meta({
      description:
        'Bytes that may wait for one client that does not read; with more it is closed with 4008.',
    }),
})

export function edgeOptionsOf(
  settings: z.output<typeof config>,
  { log }: { log: Log },
): EdgeOptions {
  const tokenIssuer = tokenIssuerOf(settings, { log })
  return {
    tokenSecret: settings.SIGNALBOX_TOKEN_SECRET,
    ...(tokenIssuer ? { tokenIssuer } : {}),
    ...(settings.SIGNALBOX_EDGE_ID === undefined ? {} : { edgeId: settings.SIGNALBOX_EDGE_ID }),
    ...(settings.SIGNALBOX_EDGE_ORIGINS ? { origins: settings.SIGNALBOX_EDGE_ORIGINS } : {}),
    trustedProxies: settings.SIGNALBOX_TRUST_PROXY,
    maxConnections: settings.SIGNALBOX_EDGE_MAX_CONNECTIONS,
    maxPerAddress: settings.SIGNALBOX_EDGE_MAX_CONNECTIONS_PER_ADDRESS,
    maxPerAccount: settings.SIGNALBOX_EDGE_MAX_CONNECTIONS_PER_ACCOUNT,
    maxPerPerson: settings.SIGNALBOX_EDGE_MAX_CONNECTIONS_PER_PERSON,
    acceptsPerSecond: settings.SIGNALBOX_EDGE_ACCEPTS_PER_SECOND,
    framesPerSecond: settings.SIGNALBOX_EDGE_FRAMES_PER_SECOND,
    maxSubscriptions: settings.SIGNALBOX_EDGE_MAX_SUBSCRIPTIONS,
    maxIdleMs: settings.SIGNALBOX_EDGE_IDLE_SECONDS * 1_000,
    joinMs: settings.SIGNALBOX_EDGE_JOIN_MS,
    maxBufferedBytes: settings.SIGNALBOX_EDGE_MAX_BUFFERED_BYTES,
    relayPartitions: settings.SIGNALBOX_RELAY_PARTITIONS,
  }
}

function tokenIssuerOf(
  settings: z.output<typeof config>,
  { log }: { log: Log },
): TokenIssuer | undefined {
  const { SIGNALBOX_TOKEN_JWKS_URL: url, SIGNALBOX_TOKEN_JWKS_FILE: file } = settings
  const source = url === undefined ? file && jwksFromFile(file) : jwksFromUrl(url)
  if (!source) return undefined
  const issuer = settings.SIGNALBOX_TOKEN_ISSUER
  return {
    keys: createJwksResolver(source, {}, { log }),
    audience: settings.SIGNALBOX_TOKEN_AUDIENCE,
    ...(issuer === undefined ? {} : { issuer }),
  }
}

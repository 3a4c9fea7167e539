/**
 * Configuration: one zod object per service, parsed once from the environment at its start.
 *
 * A variable's description (`.meta({ description })`) and default are what docs/configuration.md shows.
 */
import { z } from 'zod'
import { ConfigError } from './errors.ts'
import { fieldErrorsOf } from './validation.ts'

/** What every process reads. */
export const processConfigShape = {
  HOST: z.string().default('0.0.0.0').meta({ description: 'Address to listen on.' }),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .meta({ description: 'Lowest level that is logged.' }),
  DRAIN_TIMEOUT_MS: z.coerce.number().int().min(0).max(600_000).default(25_000).meta({
    description: 'How long a process may finish its work after SIGTERM, in milliseconds.',
  }),
}

export const brokerConfigShape = {
  AMQP_URL: z
    .url({ protocol: /^amqps?$/, error: 'must be an amqp:// or amqps:// URL' })
    .meta({ description: 'RabbitMQ, as `amqp://user:password@host:5672/vhost`.' }),
  SIGNALBOX_NAMESPACE: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,32}$/)
    .default('signalbox')
    .meta({ description: 'Prefix of every exchange, queue and Redis key.' }),
  SIGNALBOX_VUMI_BRIDGE: z
    .stringbool()
    .default(false)
    .meta({ description: "Accept Vumi Go's own events from the direct exchange `vumi`." }),
}

export const storeConfigShape = {
  REDIS_URL: z
    .url({ protocol: /^rediss?$/, error: 'must be a redis:// or rediss:// URL' })
    .meta({ description: 'Redis, as `redis://:password@host:6379/0`.' }),
}

/** The same wherever dead letters are kept or shown. */
export const deadLetterConfigShape = {
  SIGNALBOX_MAX_DEAD_LETTERS: z.coerce.number().int().min(1).max(1_000_000).default(10_000).meta({
    description: 'Dead letters kept per account; the oldest fall off, and are counted.',
  }),
  SIGNALBOX_DEAD_LETTER_DAYS: z.coerce.number().int().min(1).max(3_650).default(30).meta({
    description: 'How long dead letters are kept, in days.',
  }),
}

/** Of whoever runs an edge; the same at every edge. */
export const channelConfigShape = {
  SIGNALBOX_EDGE_HISTORY: z.coerce.number().int().min(1).max(10_000).default(100).meta({
    description:
      'State changes kept of each person, for clients that resume; the same at every edge.',
  }),
  SIGNALBOX_EDGE_ACCOUNT_HISTORY: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .meta({
      description:
        'Events kept of each account that somebody subscribes to, for clients that resume; the same at every edge.',
    }),
  SIGNALBOX_EDGE_HISTORY_MINUTES: z.coerce.number().int().min(1).max(43_200).default(60).meta({
    description: 'How long both are kept after the last one, in minutes; the same at every edge.',
  }),
}

/** Of whoever runs an edge. */
export const relayConfigShape = {
  SIGNALBOX_RELAY_PARTITIONS: z.coerce.number().int().min(1).max(16).default(1).meta({
    description:
      'Queues that the relays of all edges share, so that several edges relay at once; the same at every edge.',
  }),
}

const countSchema = (defaultCount: number) =>
  z.coerce.number().int().min(1).max(100_000_000).default(defaultCount)

/** How many there may be of what people make on purpose; each process takes those that it writes. */
export const recordConfigShape = {
  SIGNALBOX_MAX_CHAINS: countSchema(10_000).meta({
    description: 'Chains per account; one more is refused with `SB_TOO_MANY`.',
  }),
  SIGNALBOX_MAX_LISTENERS: countSchema(1_000).meta({
    description: 'Listeners per account; one more is refused with `SB_TOO_MANY`.',
  }),
  SIGNALBOX_MAX_API_KEYS: countSchema(100).meta({
    description: 'API keys per account; one more is refused with `SB_TOO_MANY`.',
  }),
  SIGNALBOX_MAX_CONTACTS: countSchema(1_000_000).meta({
    description: 'Contacts per account; one more is refused with `SB_TOO_MANY`.',
  }),
  SIGNALBOX_MAX_DOCUMENTS: countSchema(1_000_000).meta({
    description:
      'Documents per account and collection (polls, sessions); one more is refused with `SB_TOO_MANY`.',
  }),
}

/** How long deliveries to listeners can be looked at; the same at whoever records them and whoever shows them. */
export const deliveryConfigShape = {
  SIGNALBOX_MAX_DELIVERIES: z.coerce.number().int().min(1).max(100_000).default(1_000).meta({
    description: 'Deliveries kept per listener.',
  }),
  SIGNALBOX_DELIVERY_DAYS: z.coerce.number().int().min(1).max(365).default(7).meta({
    description: 'How long deliveries are kept, in days.',
  }),
}

export const secretSchema = z.string().min(32, 'must be at least 32 characters')

/** The port, with the default of the service that asks. */
export const portSchema = (defaultPort: number) =>
  z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(defaultPort)
    .meta({ description: 'Port to listen on; 0 takes a free one.' })

/**
 * Parses `env` or throws a `ConfigError` that names each bad variable. An empty variable counts as absent, as compose files
 * write them. Values are never part of the message: they may be secrets.
 */
export function parseConfig<Schema extends z.ZodObject>(
  schema: Schema,
  env: Readonly<Record<string, string | undefined>>,
): z.output<Schema> {
  const present = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  )
  const outcome = schema.safeParse(present)
  if (outcome.success) return outcome.data
  const details = fieldErrorsOf(outcome.error).map(({ path, message }) =>
    present[path] === undefined ? { path, message: 'is required' } : { path, message },
  )
  const lines = details.map(({ path, message }) => `  ${path}: ${message}`)
  throw new ConfigError(`The configuration is not valid:\n${lines.join('\n')}`, { details })
}

/** What bounds the progress of events; of every process whose dispatcher writes it. */
export const progressConfigShape = {
  SIGNALBOX_PROGRESS_HOURS: z.coerce.number().int().min(1).max(720).default(24).meta({
    description:
      'How long progress is remembered, in hours after its last change: within it an event that comes again starts nothing twice.',
  }),
  SIGNALBOX_MAX_PROGRESS: z.coerce
    .number()
    .int()
    .min(1_000)
    .max(100_000_000)
    .default(1_000_000)
    .meta({
      description:
        'Events whose progress is remembered, per account. Beyond it the oldest that is done is forgotten before its time, counted and logged.',
    }),
}

/** The options of `signalbox loadtest`: read, checked one by one and together, with errors that name the option. */
import { parseArgs } from 'node:util'
import { fieldErrorsOf } from '@signalbox/kit'
import { z } from 'zod'
import { hostOf, isLoopback } from '../loopback.ts'
import { UsageError } from '../usage-error.ts'
import { DURATION_FORM, durationMsOf, formatMs } from './duration.ts'
import { type Fault, faultsOf, requireInstances } from './fault.ts'

/** Memory is taken per event and path: this many bytes at most. */
const MAX_LEDGER_ENTRIES = 200_000_000

const integer = (min: number, max: number) => {
  const form = `must be a whole number from ${min} to ${max}`
  return z
    .string()
    .regex(/^\d{1,9}$/, form)
    .transform(Number)
    .refine((value) => value >= min && value <= max, form)
}

const time = (minMs: number, maxMs: number) =>
  z.string().transform((text, context) => {
    const ms = durationMsOf(text)
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms
    context.addIssue(
      `must be ${DURATION_FORM}, from ${formatMs(minMs)} to ${formatMs(maxMs)}, not "${text}"`,
    )
    return z.NEVER
  })

const address = (...schemes: string[]) =>
  z.url({
    protocol: new RegExp(`^(${schemes.join('|')})$`),
    error: `must be a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
  })

const schema = z.object({
  rate: integer(1, 20_000),
  duration: time(1_000, 60 * 60_000),
  'chain-length': integer(1, 10),
  'handler-time': time(0, 10_000),
  accounts: integer(1, 1_000),
  conversations: integer(1, 100_000),
  subscribers: integer(0, 10_000),
  'payload-bytes': integer(0, 100_000),
  via: z.enum(['amqp', 'http'], 'must be amqp or http'),
  late: time(1, 10 * 60_000),
  drain: time(1_000, 5 * 60_000),
  workers: integer(1, 16),
  up: z.boolean(),
  dispatchers: integer(1, 16).optional(),
  edges: integer(1, 16).optional(),
  cluster: z.literal('3', 'must be 3').optional(),
  fault: z.array(z.string()).max(100),
  'amqp-url': address('amqp', 'amqps').optional(),
  'redis-url': address('redis', 'rediss').optional(),
  namespace: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,32}$/, 'must be 1 to 32 characters of A-Z a-z 0-9 _ -'),
  'edge-url': z.array(address('ws', 'wss', 'http', 'https')).max(100),
  'api-url': address('http', 'https').optional(),
  'admin-key': z.string().min(1).optional(),
  'token-secret': z.string().min(32, 'must be at least 32 characters').optional(),
  'allow-remote': z.boolean(),
  html: z.string().min(1).optional(),
  json: z.string().min(1).optional(),
})

type Values = z.infer<typeof schema>
type Environment = Readonly<Record<string, string | undefined>>

export interface LoadOptions {
  rate: number
  durationMs: number
  chainLength: number
  handlerMs: number
  accounts: number
  conversations: number
  subscribers: number
  payloadBytes: number
  via: 'amqp' | 'http'
  lateMs: number
  drainMs: number
  workers: number
}

export interface OwnSystem {
  kind: 'own'
  dispatchers: number
  edges: number
  brokerNodes: 1 | 3
  faults: Fault[]
}

/** A system that runs already. */
export interface GivenSystem {
  kind: 'given'
  amqpUrl: string
  redisUrl: string
  namespace: string
  edgeUrls: string[]
  apiUrl: string
  adminKey?: string
  tokenSecret?: string
}

export interface LoadtestPlan {
  load: LoadOptions
  system: OwnSystem | GivenSystem
  htmlFile?: string
  jsonFile?: string
}

/** Undefined: help was asked for. Throws `UsageError`. */
export function loadtestPlanOf(
  args: readonly string[],
  env: Environment,
): LoadtestPlan | undefined {
  const given = argumentsOf(args)
  if (given.help) return undefined
  const outcome = schema.safeParse(given)
  if (!outcome.success) {
    const faults = fieldErrorsOf(outcome.error)
    throw new UsageError(faults.map(({ path, message }) => `--${path} ${message}`).join('\n'))
  }
  const values = outcome.data
  const load = {
    rate: values.rate,
    durationMs: values.duration,
    chainLength: values['chain-length'],
    handlerMs: values['handler-time'],
    accounts: values.accounts,
    conversations: values.conversations,
    subscribers: values.subscribers,
    payloadBytes: values['payload-bytes'],
    via: values.via,
    lateMs: values.late,
    drainMs: values.drain,
    workers: values.workers,
  }
  requireMemory(load)
  return {
    load,
    system: values.up ? ownSystemOf(values) : givenSystemOf(values, env),
    ...(values.html === undefined ? {} : { htmlFile: values.html }),
    ...(values.json === undefined ? {} : { jsonFile: values.json }),
  }
}

function argumentsOf(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        rate: { type: 'string', default: '200' },
        duration: { type: 'string', default: '10s' },
        'chain-length': { type: 'string', default: '2' },
        'handler-time': { type: 'string', default: '0s' },
        accounts: { type: 'string', default: '4' },
        conversations: { type: 'string', default: '100' },
        subscribers: { type: 'string', default: '20' },
        'payload-bytes': { type: 'string', default: '200' },
        via: { type: 'string', default: 'amqp' },
        late: { type: 'string', default: '1s' },
        drain: { type: 'string', default: '30s' },
        workers: { type: 'string', default: '1' },
        up: { type: 'boolean', default: false },
        dispatchers: { type: 'string' },
        edges: { type: 'string' },
        cluster: { type: 'string' },
        fault: { type: 'string', multiple: true, default: [] },
        'amqp-url': { type: 'string' },
        'redis-url': { type: 'string' },
        namespace: { type: 'string', default: 'signalbox' },
        'edge-url': { type: 'string', multiple: true, default: [] },
        'api-url': { type: 'string' },
        'admin-key': { type: 'string' },
        'token-secret': { type: 'string' },
        'allow-remote': { type: 'boolean', default: false },
        html: { type: 'string' },
        json: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function requireMemory({ rate, durationMs, chainLength, conversations, subscribers }: LoadOptions) {
  const perEvent = 1 + chainLength + Math.ceil(subscribers / conversations)
  if ((rate * durationMs * perEvent) / 1_000 <= MAX_LEDGER_ENTRIES) return
  throw new UsageError(
    '--rate, --duration and --subscribers are more than can be accounted for at once: shorten the run',
  )
}

function ownSystemOf(values: Values): OwnSystem {
  refuseBeside('--up', values, ['amqp-url', 'redis-url', 'api-url', 'admin-key', 'token-secret'])
  if (values['edge-url'].length > 0) throw new UsageError('--edge-url does not go with --up')
  const { dispatchers = 1, edges = 1, workers } = values
  const brokerNodes = values.cluster === '3' ? 3 : 1
  const faults = faultsOf(values.fault, values.duration)
  requireInstances(faults, {
    rabbitmq: brokerNodes,
    redis: 1,
    dispatcher: dispatchers,
    worker: workers,
    edge: edges,
  })
  return { kind: 'own', dispatchers, edges, brokerNodes, faults }
}

function givenSystemOf(values: Values, env: Environment): GivenSystem {
  if (values.fault.length > 0) {
    throw new UsageError('--fault needs --up: only what was started here is killed')
  }
  refuseBeside('a system that runs already', values, ['dispatchers', 'edges', 'cluster'])
  const amqpUrl = values['amqp-url'] ?? env.AMQP_URL
  const redisUrl = values['redis-url'] ?? env.REDIS_URL
  if (!amqpUrl || !redisUrl) {
    throw new UsageError('give --up, or both --amqp-url and --redis-url of a running system')
  }
  const adminKey = values['admin-key'] ?? env.SIGNALBOX_ADMIN_KEY
  const tokenSecret = values['token-secret'] ?? env.SIGNALBOX_TOKEN_SECRET
  if (values.via === 'http' && !adminKey) throw new UsageError('--via http needs --admin-key')
  if (values.subscribers > 0 && !adminKey && !tokenSecret) {
    throw new UsageError(
      '--subscribers need tokens: give --token-secret or --admin-key, or --subscribers 0',
    )
  }
  const edgeUrls = values['edge-url'].length > 0 ? values['edge-url'] : ['ws://127.0.0.1:8081']
  const apiUrl = values['api-url'] ?? 'http://127.0.0.1:8080'
  if (!values['allow-remote']) {
    requireLoopback('--amqp-url', amqpUrl)
    requireLoopback('--redis-url', redisUrl)
    requireLoopback('--api-url', apiUrl)
    for (const edgeUrl of edgeUrls) requireLoopback('--edge-url', edgeUrl)
  }
  return {
    kind: 'given',
    amqpUrl,
    redisUrl,
    namespace: env.SIGNALBOX_NAMESPACE ?? values.namespace,
    edgeUrls: edgeUrls.map(withoutSlash),
    apiUrl: withoutSlash(apiUrl),
    ...(adminKey ? { adminKey } : {}),
    ...(tokenSecret ? { tokenSecret } : {}),
  }
}

function refuseBeside(what: string, values: Values, names: readonly (keyof Values)[]): void {
  const present = names.find((name) => values[name] !== undefined)
  if (present !== undefined) throw new UsageError(`--${present} does not go with ${what}`)
}

/** The message names the host alone: the rest of the URL may be secret. */
function requireLoopback(option: string, url: string): void {
  if (isLoopback(url)) return
  const host = hostOf(url)
  throw new UsageError(
    `${option} names ${host === '' ? 'no host' : host}, which is not a loopback address; --allow-remote permits it`,
  )
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '')
}

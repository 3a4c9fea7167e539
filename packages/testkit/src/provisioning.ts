/**
 * The RabbitMQ and the Redis of a test run. Each is, in this order:
 *
 * 1. the one that `TEST_AMQP_URL` with `TEST_RABBITMQ_MANAGEMENT_URL`, or `TEST_REDIS_URL`, names;
 * 2. a container, when a Docker engine answers;
 * 3. a private instance of this machine's own server, installed first where that can be done (root, with apt-get).
 *
 * Never somebody's running server by default.
 */
import {
  ensureServers,
  type ServerName,
  startPrivateRabbitMq,
  startPrivateRedis,
} from '@signalbox/private-brokers'
import { dockerAnswers, startRabbitMqContainer, startRedisContainer } from './docker.ts'

export interface RabbitMqServer {
  readonly amqpUrl: string
  readonly managementUrl: string
}

export interface RedisServer {
  readonly redisUrl: string
}

export interface Brokers extends RabbitMqServer, RedisServer, AsyncDisposable {}

type Environment = Readonly<Record<string, string | undefined>>
type Started<Server> = Server & AsyncDisposable

/** Both serve when it resolves. Disposing ends what was started for this, and nothing else. */
export async function provisionBrokers(env: Environment = process.env): Promise<Brokers> {
  const given = { rabbitmq: givenRabbitMq(env), redis: givenRedis(env) }
  const starters = await chooseStarters(
    (['rabbitmq', 'redis'] as const).filter((name) => !given[name]),
  )
  const outcomes = await Promise.allSettled([
    given.rabbitmq ?? starters.rabbitmq(),
    given.redis ?? starters.redis(),
  ])
  const stack = new AsyncDisposableStack()
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled' && Symbol.asyncDispose in outcome.value) {
      stack.use(outcome.value)
    }
  }
  const [rabbitmq, redis] = outcomes
  if (rabbitmq.status === 'rejected' || redis.status === 'rejected') {
    await stack.disposeAsync()
    throw rabbitmq.status === 'rejected' ? rabbitmq.reason : (redis as PromiseRejectedResult).reason
  }
  const { amqpUrl, managementUrl } = rabbitmq.value
  const { redisUrl } = redis.value
  return { amqpUrl, managementUrl, redisUrl, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** Undefined: none is named. Throws when half of one is. */
export function givenRabbitMq(env: Environment): RabbitMqServer | undefined {
  const amqpUrl = env.TEST_AMQP_URL
  const managementUrl = env.TEST_RABBITMQ_MANAGEMENT_URL
  if (!amqpUrl && !managementUrl) return undefined
  if (amqpUrl && managementUrl) return { amqpUrl, managementUrl }
  throw new Error(
    'TEST_AMQP_URL and TEST_RABBITMQ_MANAGEMENT_URL go together: vhosts are made over the management API',
  )
}

export function givenRedis(env: Environment): RedisServer | undefined {
  const redisUrl = env.TEST_REDIS_URL
  return redisUrl ? { redisUrl } : undefined
}

interface Starters {
  rabbitmq: () => Promise<Started<RabbitMqServer>>
  redis: () => Promise<Started<RedisServer>>
}

const PRIVATE: Starters = {
  rabbitmq: startPrivateRabbitMq,
  redis: () => startPrivateRedis({ appendfsync: 'everysec' }),
}

async function chooseStarters(needed: readonly ServerName[]): Promise<Starters> {
  if (needed.length === 0) return PRIVATE
  if (await dockerAnswers()) {
    return {
      rabbitmq: orElse(startRabbitMqContainer, PRIVATE.rabbitmq),
      redis: orElse(startRedisContainer, PRIVATE.redis),
    }
  }
  // Both at once, so that one installation serves both.
  await ensureServers(needed)
  return PRIVATE
}

/** An engine that answers may still be unable to fetch an image. */
function orElse<Server>(first: () => Promise<Server>, second: () => Promise<Server>) {
  return async () => {
    try {
      return await first()
    } catch (error) {
      process.stderr.write(`No container (${String(error)}); trying this machine's own server\n`)
      return second()
    }
  }
}

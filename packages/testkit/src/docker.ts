/** RabbitMQ and Redis in containers, where a Docker engine answers. */
import { request } from 'node:http'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { GenericContainer, StartedTestContainer } from 'testcontainers'

const PING_TIMEOUT_MS = 2_000
const START_TIMEOUT_MS = 120_000
/** For fetching the image as well. */
const FETCH_AND_START_TIMEOUT_MS = 300_000

const RABBITMQ_IMAGE = 'rabbitmq:4-management-alpine'
const REDIS_IMAGE = 'redis:7-alpine'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Whether an engine answers within 2 s. A Docker command without an engine is common and says nothing, so the engine itself is
 * asked: at DOCKER_HOST (unix or plain tcp), else at the usual sockets.
 */
export async function dockerAnswers(env: Environment = process.env): Promise<boolean> {
  const answers = await Promise.all(engineAddresses(env).map(ping))
  return answers.includes(true)
}

export async function startRabbitMqContainer() {
  const { GenericContainer, Wait } = await import('testcontainers')
  const definition = new GenericContainer(RABBITMQ_IMAGE)
    .withExposedPorts(5672, 15672)
    .withWaitStrategy(
      Wait.forAll([Wait.forListeningPorts(), Wait.forLogMessage(/startup complete/i)]),
    )
    .withStartupTimeout(START_TIMEOUT_MS)
  const container = await started(definition)
  return {
    amqpUrl: `amqp://guest:guest@${addressOf(container, 5672)}`,
    managementUrl: `http://guest:guest@${addressOf(container, 15672)}`,
    [Symbol.asyncDispose]: () => end(container),
  }
}

export async function startRedisContainer() {
  const { GenericContainer } = await import('testcontainers')
  const definition = new GenericContainer(REDIS_IMAGE)
    .withExposedPorts(6379)
    .withStartupTimeout(START_TIMEOUT_MS)
  const container = await started(definition)
  return {
    redisUrl: `redis://${addressOf(container, 6379)}`,
    [Symbol.asyncDispose]: () => end(container),
  }
}

async function started(definition: GenericContainer): Promise<StartedTestContainer> {
  const timedOut = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => timedOut.reject(new Error(`not started in ${FETCH_AND_START_TIMEOUT_MS} ms`)),
    FETCH_AND_START_TIMEOUT_MS,
  )
  try {
    return await Promise.race([definition.start(), timedOut.promise])
  } finally {
    clearTimeout(timer)
  }
}

type EngineAddress = { socketPath: string } | { host: string; port: number }

function engineAddresses(env: Environment): EngineAddress[] {
  const host = env.DOCKER_HOST
  if (host === undefined || host === '') {
    const runtimeFolder = env.XDG_RUNTIME_DIR
    return [
      { socketPath: '/var/run/docker.sock' },
      { socketPath: join(env.HOME ?? homedir(), '.docker/run/docker.sock') },
      ...(runtimeFolder ? [{ socketPath: join(runtimeFolder, 'docker.sock') }] : []),
    ]
  }
  const { protocol, pathname, hostname, port } = new URL(host)
  if (protocol === 'unix:') return [{ socketPath: pathname }]
  if (protocol === 'tcp:') return [{ host: hostname, port: Number(port || 2375) }]
  return []
}

function ping(address: EngineAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(PING_TIMEOUT_MS)
    request({ ...address, path: '/_ping', agent: false, signal }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
      .once('error', () => resolve(false))
      .end()
  })
}

function addressOf(container: StartedTestContainer, port: number): string {
  return `${container.getHost()}:${container.getMappedPort(port)}`
}

async function end(container: StartedTestContainer): Promise<void> {
  await container.stop()
}

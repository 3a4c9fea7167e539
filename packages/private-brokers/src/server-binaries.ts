/** Where this machine's own RabbitMQ and Redis are. */
import { ensureDebianPackages, findExecutable, isExecutable } from './debian-packages.ts'

export type ServerName = 'rabbitmq' | 'redis'

/** n.b. the wrapper in /usr/sbin changes user and drops the environment; this is the script behind it. */
const RABBITMQ_SCRIPT = '/usr/lib/rabbitmq/bin/rabbitmq-server'
export const RABBITMQCTL = '/usr/lib/rabbitmq/bin/rabbitmqctl'

const PACKAGES: Readonly<Record<ServerName, string>> = {
  rabbitmq: 'rabbitmq-server',
  redis: 'redis-server',
}

const OTHERWISE = `or start Docker, or name servers to use (tests make vhosts, users and keys there, and remove them):
  TEST_AMQP_URL=amqp://… TEST_RABBITMQ_MANAGEMENT_URL=http://user:password@… TEST_REDIS_URL=redis://…`

/** Paths of the executables of the servers asked for; installs what is missing where that can be done. */
export async function ensureServers(names: readonly ServerName[]) {
  const missing = await missingOf(names)
  const [first, ...rest] = missing.map((name) => PACKAGES[name])
  if (first !== undefined) {
    await ensureDebianPackages([first, ...rest], {
      probe: async () => (await missingOf(names)).length === 0,
      otherwise: OTHERWISE,
    })
  }
  return {
    rabbitmq: RABBITMQ_SCRIPT,
    epmd: (await findExecutable('epmd')) ?? 'epmd',
    redis: (await findExecutable('redis-server')) ?? 'redis-server',
  }
}

async function missingOf(names: readonly ServerName[]): Promise<ServerName[]> {
  const there = {
    rabbitmq: (await isExecutable(RABBITMQ_SCRIPT)) && (await findExecutable('epmd')) !== undefined,
    redis: (await findExecutable('redis-server')) !== undefined,
  }
  return names.filter((name) => !there[name])
}

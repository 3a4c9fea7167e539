/** One RabbitMQ node, alone or of a cluster, with its management API, on the loopback address. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type KeptProcess, startKeptProcess } from './kept-process.ts'
import { createManagementApi, type ManagementApi } from './management-api.ts'
import { freePort, isListening } from './ports.ts'
import { type PrivateServer, startPrivateServer } from './private-server.ts'
import { ensureServers, RABBITMQCTL } from './server-binaries.ts'
import { waitFor } from './wait-for.ts'

const run = promisify(execFile)

export interface PrivateRabbitMq extends PrivateServer {
  /** As its cluster calls it: `name@localhost`. */
  readonly name: string
  readonly amqpUrl: string
  /** With the administrator's credentials, as `http://user:password@host:port`. */
  readonly managementUrl: string
  /** Runs `rabbitmqctl` with these arguments on it. Throws with what it printed when it fails. */
  control(...args: string[]): Promise<void>
}

/** The Erlang VM looks for a port mapper (epmd) and would leave one behind; it finds one that is kept like itself. */
export interface PortMapper {
  readonly port: number
  readonly process: KeptProcess
}

export async function startPortMapper(): Promise<PortMapper> {
  const { epmd } = await ensureServers(['rabbitmq'])
  const port = await freePort()
  const command = [epmd, '-port', String(port), '-address', '127.0.0.1'] as const
  const process = startKeptProcess({ name: 'epmd', env: {}, command })
  await waitFor(() => isListening(port), { what: 'epmd to listen' })
  return { port, process }
}

export interface RabbitMqNodeOptions {
  /** As `name@localhost`. */
  node: string
  /** All nodes of its cluster, itself included; it alone: no cluster. */
  cluster: readonly string[]
  /** The secret that nodes of one cluster share. */
  cookie: string
  mapperPort: number
}

/** Serves when it resolves. What it confirmed for durable queues survives `kill`. */
export async function startRabbitMqNode(options: RabbitMqNodeOptions): Promise<PrivateRabbitMq> {
  const { rabbitmq } = await ensureServers(['rabbitmq'])
  const folder = await mkdtemp(join(tmpdir(), 'signalbox-rabbitmq-'))
  const ports = {
    amqp: await freePort(),
    management: await freePort(),
    distribution: await freePort(),
  }
  const env = await prepareFolder(folder, ports, options)
  const managementUrl = `http://guest:guest@127.0.0.1:${ports.management}`
  const management = createManagementApi(managementUrl)
  const server = await startPrivateServer({
    name: 'RabbitMQ',
    folder,
    launch: () => startKeptProcess({ name: 'rabbitmq', folder, env, command: [rabbitmq] }),
    serves: async () => (await isListening(ports.amqp)) && (await management.answers()),
  })
  return {
    ...server,
    name: options.node,
    amqpUrl: `amqp://guest:guest@127.0.0.1:${ports.amqp}`,
    managementUrl,
    async control(...args) {
      await run(RABBITMQCTL, ['--quiet', ...args], { env })
    },
    async kill() {
      await quorumQueuesKept(join(folder, 'data', options.node, 'quorum', options.node), management)
      await server.kill()
    },
  }
}

/**
 * RabbitMQ writes the name of a new quorum queue to the disk a second or so after it has confirmed the declaration, and a queue
 * whose name is not there gets no leader after a restart. That is not what those who kill a broker want to see, so `kill` waits
 * for it: at most 5 s, and not at all in a broker that does not answer.
 */
async function quorumQueuesKept(folder: string, management: ManagementApi): Promise<void> {
  const listing = await management.get('/queues?columns=name,type').catch(() => [])
  const names = (listing as { name: string; type: string }[])
    .filter(({ type }) => type === 'quorum')
    .map(({ name }) => name)
  const areKept = async () => {
    const kept = await readFile(join(folder, 'names.dets'))
    return names.every((name) => kept.includes(`_${name}`))
  }
  await waitFor(areKept, { what: 'queue names', timeoutMs: 5_000 }).catch(() => undefined)
}

interface RabbitMqPorts {
  amqp: number
  management: number
  distribution: number
}

/** Writes what the broker reads at its start; returns its whole environment. */
async function prepareFolder(
  folder: string,
  ports: RabbitMqPorts,
  { node, cluster, cookie, mapperPort }: RabbitMqNodeOptions,
): Promise<Record<string, string>> {
  const inFolder = (name: string) => join(folder, name)
  const home = inFolder('home')
  await mkdir(home)
  await writeFile(join(home, '.erlang.cookie'), cookie, { mode: 0o400 })
  await writeFile(inFolder('enabled_plugins'), '[rabbitmq_management].\n')
  await writeFile(inFolder('rabbitmq-env.conf'), '')
  await writeFile(inFolder('advanced.config'), ADVANCED_CONFIG)
  await writeFile(
    inFolder('rabbitmq.conf'),
    [
      `listeners.tcp.1 = 127.0.0.1:${ports.amqp}`,
      'management.tcp.ip = 127.0.0.1',
      `management.tcp.port = ${ports.management}`,
      'collect_statistics_interval = 1000',
      'raft.wal_max_size_bytes = 64000000',
      'log.file = false',
      'log.console = true',
      'log.console.level = warning',
      ...peersOf(cluster),
      '',
    ].join('\n'),
  )
  return {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: home,
    ERL_EPMD_PORT: String(mapperPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: node,
    RABBITMQ_NODE_PORT: String(ports.amqp),
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_DIST_PORT: String(ports.distribution),
    RABBITMQ_MNESIA_BASE: inFolder('data'),
    RABBITMQ_LOG_BASE: inFolder('log'),
    RABBITMQ_SCHEMA_DIR: inFolder('schema'),
    RABBITMQ_GENERATED_CONFIG_DIR: inFolder('generated'),
    RABBITMQ_ENABLED_PLUGINS_FILE: inFolder('enabled_plugins'),
    RABBITMQ_CONF_ENV_FILE: inFolder('rabbitmq-env.conf'),
    RABBITMQ_CONFIG_FILE: inFolder('rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: inFolder('advanced.config'),
    RABBITMQ_PID_FILE: inFolder('pid'),
    RUNNING_UNDER_SYSTEMD: 'true',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: [
      '-kernel inet_dist_use_interface {127,0,0,1}',
      // n.b. nodes that share the cores of one machine take time from each other when they spin for want of work.
      ...(cluster.length > 1 ? ['+sbwt none +sbwtdcpu none +sbwtdio none'] : []),
    ].join(' '),
  }
}

/**
 * As docs/operations.md advises: what the dead-lettering of a queue could not hand over, because a node died, is tried again soon.
 * Source: https://www.rabbitmq.com/docs/quorum-queues#activating-at-least-once-dead-lettering
 */
const ADVANCED_CONFIG = '[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 10000}]}].\n'

/** Source: https://www.rabbitmq.com/docs/cluster-formation#peer-discovery-classic-config */
function peersOf(cluster: readonly string[]): string[] {
  if (cluster.length < 2) return []
  return [
    'cluster_formation.peer_discovery_backend = classic_config',
    ...cluster.map(
      (node, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${node}`,
    ),
  ]
}

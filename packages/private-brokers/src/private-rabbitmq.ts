/** A RabbitMQ of one's own: a single node, or a cluster of them behind one address. */
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { startKeptProcess } from './kept-process.ts'
import { createManagementApi } from './management-api.ts'
import { freePort, isListening } from './ports.ts'
import { startPrivateServer } from './private-server.ts'
import { type PrivateRabbitMq, startPortMapper, startRabbitMqNode } from './rabbitmq-node.ts'
import { waitFor } from './wait-for.ts'

const BALANCER = fileURLToPath(new URL('./balancer/main.ts', import.meta.url))
const FORMING_TIMEOUT_MS = 120_000

/**
 * Serves when it resolves, after some 6 s. What it confirmed for durable queues survives `kill`.
 * The caller disposes of it; it ends with this process in any case.
 */
export async function startPrivateRabbitMq(): Promise<PrivateRabbitMq> {
  const { nodes, ...rest } = await startNodes(['signalbox@localhost'])
  return { ...nodes[0]!, ...rest }
}

export interface PrivateRabbitMqCluster extends AsyncDisposable {
  /** In front of all nodes: each connection goes to the next node that accepts it. */
  readonly amqpUrl: string
  readonly nodes: readonly PrivateRabbitMq[]
}

/**
 * That many nodes that know each other, and a balancer before them. Resolves when each node sees all others running, after some
 * 30 s. The caller disposes of it; it ends with this process in any case.
 */
export async function startPrivateRabbitMqCluster(size: number): Promise<PrivateRabbitMqCluster> {
  const names = Array.from({ length: size }, (_, index) => `signalbox${index + 1}@localhost`)
  const stack = new AsyncDisposableStack()
  try {
    const { nodes } = stack.use(await startNodes(names))
    await waitFor(() => areUnited(nodes), {
      what: `${size} RabbitMQ nodes to form a cluster`,
      timeoutMs: FORMING_TIMEOUT_MS,
      intervalMs: 250,
    })
    const port = await freePort()
    const backends = nodes.map(({ amqpUrl }) => new URL(amqpUrl).port)
    stack.use(
      await startPrivateServer({
        name: 'balancer',
        launch: () =>
          startKeptProcess({
            name: 'balancer',
            env: {},
            command: [process.execPath, BALANCER, String(port), ...backends],
          }),
        serves: () => isListening(port),
      }),
    )
    return {
      amqpUrl: `amqp://guest:guest@127.0.0.1:${port}`,
      nodes,
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

/** All of one port mapper; disposing ends the nodes, then it. */
async function startNodes(names: readonly string[]) {
  const cookie = randomBytes(16).toString('hex')
  const mapper = await startPortMapper()
  const outcomes = await Promise.allSettled(
    names.map((node) =>
      startRabbitMqNode({ node, cluster: names, cookie, mapperPort: mapper.port }),
    ),
  )
  const nodes = outcomes.flatMap((outcome) =>
    outcome.status === 'fulfilled' ? [outcome.value] : [],
  )
  const dispose = async () => {
    await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()))
    await mapper.process.kill()
  }
  const failure = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failure) {
    await dispose()
    throw failure.reason
  }
  return { nodes, [Symbol.asyncDispose]: dispose }
}

async function areUnited(nodes: readonly PrivateRabbitMq[]): Promise<boolean> {
  const views = await Promise.all(
    nodes.map(({ managementUrl }) =>
      createManagementApi(managementUrl).get('/nodes?columns=name,running'),
    ),
  )
  return views.every(
    (view) =>
      (view as { running: boolean }[]).filter(({ running }) => running).length === nodes.length,
  )
}

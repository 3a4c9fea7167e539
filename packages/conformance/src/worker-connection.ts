/** The worker's side of the connection, as the management API shows it. */
import { createManagementApi, waitFor } from '@signalbox/private-brokers'
import { Violation } from './rule.ts'

/** The broker tells its management API of a new consumer at most 5 s late. */
const LISTING_TIMEOUT_MS = 15_000

export interface WorkerConsumer {
  connectionName: string
  /** 0: without bound. */
  prefetch: number
  acknowledges: boolean
}

export interface WorkerConnections {
  /** The consumers of the handler's queue; at least one. Throws `Violation` when there was none in time. */
  consumers(): Promise<WorkerConsumer[]>
  /** Closes the connections of these consumers, from the broker's side. */
  cut(consumers: readonly WorkerConsumer[]): Promise<void>
}

export interface WorkerConnectionsOptions {
  /** With the credentials in it. */
  managementUrl: string
  /** For the vhost. */
  amqpUrl: string
  queue: string
}

/** As the API tells it; a consumer that is just going has no connection any more. */
interface Listed {
  queue: { name: string }
  prefetch_count: number
  ack_required: boolean
  channel_details?: { connection_name?: string }
}

export function createWorkerConnections(options: WorkerConnectionsOptions): WorkerConnections {
  const { queue } = options
  const management = createManagementApi(options.managementUrl)
  const vhost = encodeURIComponent(vhostOf(options.amqpUrl))

  const listed = async (): Promise<WorkerConsumer[]> => {
    const all = (await management.get(`/consumers/${vhost}`)) as Listed[]
    return all.flatMap(({ queue: of, prefetch_count, ack_required, channel_details }) => {
      const connectionName = channel_details?.connection_name
      if (of.name !== queue || connectionName === undefined) return []
      return [{ connectionName, prefetch: prefetch_count, acknowledges: ack_required }]
    })
  }

  return {
    async consumers() {
      try {
        const what = `a consumer of ${queue} in the management API`
        const some = async () => {
          const found = await listed()
          return found.length > 0 && found
        }
        return await waitFor(some, { what, timeoutMs: LISTING_TIMEOUT_MS, intervalMs: 100 })
      } catch (error) {
        throw new Violation((error as Error).message)
      }
    },
    async cut(consumers) {
      const names = new Set(consumers.map(({ connectionName }) => connectionName))
      await Promise.all([...names].map(cutOne))
    },
  }

  /** n.b. the API lists the consumer of a young connection some seconds before it knows the connection: it answers 404 until then. */
  async function cutOne(name: string): Promise<void> {
    const isGone = async () =>
      !(await listed()).some(({ connectionName }) => connectionName === name)
    await waitFor(
      () =>
        management.delete(`/connections/${encodeURIComponent(name)}`).then(
          () => true,
          async (error: unknown) => {
            if (await isGone()) return true
            throw error
          },
        ),
      { what: `connection ${name} to be cut`, timeoutMs: LISTING_TIMEOUT_MS, intervalMs: 100 },
    )
  }
}

/** Without a path an AMQP URL names the vhost `/`. Source: https://www.rabbitmq.com/docs/uri-spec */
function vhostOf(amqpUrl: string): string {
  return decodeURIComponent(new URL(amqpUrl).pathname.slice(1)) || '/'
}

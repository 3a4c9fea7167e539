/** What tests on a real RabbitMQ share: opening brokers, and doing them harm through the management API. */
import { type Log, silentLog } from '@signalbox/kit'
import { createManagementApi, waitFor } from '@signalbox/testkit'
import { type AmqpBrokerOptions, openAmqpBroker } from '../../src/amqp/broker.ts'
import type { Broker } from '../../src/port.ts'
import { createTopology } from '../../src/topology.ts'

export const topology = createTopology({ namespace: 'amqp' })

export async function opened(
  url: string,
  options: Partial<AmqpBrokerOptions> = {},
): Promise<Broker> {
  const log: Log = silentLog
  return openAmqpBroker({ url, topology, log, connectionName: 'test', ...options })
}

export function isUp(broker: Broker): Promise<boolean> {
  return waitFor(() => broker.unavailableReason() === undefined, { what: 'the broker to be there' })
}

interface ConnectionInfo {
  name: string
  user_provided_name?: string
}

export interface Harm {
  closeConnections(): Promise<void>
  /** The connection that its client calls so. */
  closeConnection(connectionName: string): Promise<void>
  deleteQueue(name: string): Promise<void>
  deleteExchange(name: string): Promise<void>
  /** As somebody else would: a classic queue with nothing set. */
  declareForeignQueue(name: string): Promise<void>
  /** Lets each queue of the name hold so many messages, and soon refuses further ones. */
  limitQueue(name: string, maxLength: number): Promise<void>
}

export function harmTo(
  managementUrl: string,
  { vhost, user }: { vhost: string; user: string },
): Harm {
  const management = createManagementApi(managementUrl)
  return {
    closeConnections: () => management.delete(`/connections/username/${user}`),
    async closeConnection(connectionName) {
      const find = async () => {
        const all = (await management.get('/connections')) as ConnectionInfo[]
        return all.find(({ user_provided_name: name }) => name === connectionName)
      }
      const { name } = await waitFor(find, { what: `the connection ${connectionName}` })
      await management.delete(`/connections/${encodeURIComponent(name)}`)
    },
    deleteQueue: (name) => management.delete(`/queues/${vhost}/${name}`),
    deleteExchange: (name) => management.delete(`/exchanges/${vhost}/${name}`),
    limitQueue: (name, maxLength) =>
      management.put(`/policies/${vhost}/${name}`, {
        pattern: `^${name}$`,
        'apply-to': 'queues',
        definition: { 'max-length': maxLength },
      }),
    declareForeignQueue: (name) => management.put(`/queues/${vhost}/${name}`, { durable: true }),
  }
}

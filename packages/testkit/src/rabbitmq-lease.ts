/** A vhost of a test file's own, and a user who sees nothing else. */
import { randomBytes } from 'node:crypto'
import { createManagementApi } from '@signalbox/private-brokers'
import { createLease, type Lease, leaseName } from './lease.ts'
import { givenRabbitMq } from './provisioning.ts'

export interface RabbitMqLease extends Lease {
  /** Of the vhost, as its own user. */
  readonly amqpUrl: string
  /** Of the whole server, with the administrator's credentials. */
  readonly managementUrl: string
  readonly vhost: string
}

/**
 * From the server of this run. Releasing deletes the vhost, and fails when a connection is still open on it.
 *
 * n.b. the user is what makes that check exact: the listing by user reads the broker's own books, while the listing by vhost
 * reads statistics that are seconds old.
 */
export async function leaseRabbitMq(): Promise<RabbitMqLease> {
  const server = givenRabbitMq(process.env)
  if (!server) {
    throw new Error('no RabbitMQ to lease from: run in the vitest project "integration" or "e2e"')
  }
  const management = createManagementApi(server.managementUrl)
  const vhost = leaseName()
  const password = randomBytes(16).toString('hex')
  await management.put(`/vhosts/${vhost}`, {})
  await management.put(`/users/${vhost}`, { password, tags: '' })
  await management.put(`/permissions/${vhost}/${vhost}`, {
    configure: '.*',
    write: '.*',
    read: '.*',
  })
  const amqpUrl = new URL(server.amqpUrl)
  amqpUrl.username = vhost
  amqpUrl.password = password
  amqpUrl.pathname = `/${vhost}`

  const lease = createLease({
    what: `RabbitMQ vhost ${vhost}`,
    openConnections: async () => {
      const connections = await management.get(`/connections/username/${vhost}`)
      return (connections as { name: string }[]).map(({ name }) => name)
    },
    remove: async () => {
      await management.delete(`/vhosts/${vhost}`)
      await management.delete(`/users/${vhost}`)
    },
  })
  return { ...lease, amqpUrl: amqpUrl.href, managementUrl: server.managementUrl, vhost }
}

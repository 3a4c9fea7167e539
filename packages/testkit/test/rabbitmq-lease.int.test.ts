import { createManagementApi } from '@signalbox/private-brokers'
import { connect } from 'amqplib'
import { expect, test } from 'vitest'
import { leaseRabbitMq } from '../src/rabbitmq-lease.ts'

test('what one lease declares another does not have', async () => {
  await using first = await leaseRabbitMq()
  await using second = await leaseRabbitMq()
  const [inFirst, inSecond] = [await connect(first.amqpUrl), await connect(second.amqpUrl)]
  const amqpChannel = await inFirst.createChannel()
  await amqpChannel.assertQueue('orders', { durable: true })

  const elsewhere = await inSecond.createChannel()
  elsewhere.on('error', () => undefined)
  await expect(elsewhere.checkQueue('orders')).rejects.toThrow('NOT_FOUND')
  await expect(amqpChannel.checkQueue('orders')).resolves.toMatchObject({ queue: 'orders' })
  await Promise.all([inFirst.close(), inSecond.close()])
})

test('the user of one lease may not enter the vhost of another', async () => {
  await using first = await leaseRabbitMq()
  await using second = await leaseRabbitMq()
  const intruder = new URL(first.amqpUrl)
  intruder.pathname = `/${second.vhost}`
  await expect(connect(intruder.href)).rejects.toThrow('ConnectionClose')
})

test('a released lease leaves neither vhost nor user behind', async () => {
  const lease = await leaseRabbitMq()
  const management = createManagementApi(lease.managementUrl)
  await expect(management.get(`/vhosts/${lease.vhost}`)).resolves.toBeDefined()
  await lease.release()
  await lease.release()
  await expect(management.get(`/vhosts/${lease.vhost}`)).rejects.toThrow('404')
  await expect(management.get(`/users/${lease.vhost}`)).rejects.toThrow('404')
})

test('a connection that a test leaves open fails the release, and is closed by it', async () => {
  const lease = await leaseRabbitMq()
  const connection = await connect(lease.amqpUrl)
  const closed = new Promise((resolve) => connection.once('close', resolve))
  connection.on('error', () => undefined)
  await expect(lease.release()).rejects.toThrow(
    new RegExp(`RabbitMQ vhost ${lease.vhost} is released with open connections: \\S+:\\d+ -> `),
  )
  await closed
})

import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib'
import { expect, test } from 'vitest'
import { createManagementApi } from '../src/management-api.ts'
import { isListening } from '../src/ports.ts'
import { startPrivateRabbitMq } from '../src/private-rabbitmq.ts'
import type { PrivateRabbitMq } from '../src/rabbitmq-node.ts'

const QUEUE = 'kept'
const portOf = (url: string) => Number(new URL(url).port)

test('what was confirmed is there again after kill and start', { timeout: 120_000 }, async () => {
  await using server = await startPrivateRabbitMq()
  await withChannel(server, async (amqpChannel) => {
    await amqpChannel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
    amqpChannel.sendToQueue(QUEUE, Buffer.from('hello'), { persistent: true })
    await amqpChannel.waitForConfirms()
  })
  await server.kill()
  await expect(isListening(portOf(server.amqpUrl))).resolves.toBe(false)
  await expect(createManagementApi(server.managementUrl).answers()).resolves.toBe(false)

  await server.start()
  const message = await withChannel(server, (amqpChannel) => amqpChannel.get(QUEUE, {}))
  expect(message === false ? undefined : message.content.toString()).toBe('hello')
})

async function withChannel<T>(
  { amqpUrl }: PrivateRabbitMq,
  work: (amqpChannel: ConfirmChannel) => Promise<T>,
): Promise<T> {
  const connection: ChannelModel = await connect(amqpUrl)
  connection.on('error', () => undefined)
  try {
    return await work(await connection.createConfirmChannel())
  } finally {
    await connection.close().catch(() => undefined)
  }
}

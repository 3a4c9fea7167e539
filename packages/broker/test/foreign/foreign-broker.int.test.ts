import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { leaseRabbitMq, type RabbitMqLease, waitFor } from '@signalbox/testkit'
import { type ChannelModel, type ConsumeMessage, connect } from 'amqplib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ForeignMessage, openForeignBroker } from '../../src/foreign/index.ts'

let rabbitmq: RabbitMqLease
let model: ChannelModel

beforeAll(async () => {
  rabbitmq = await leaseRabbitMq()
  model = await connect(rabbitmq.amqpUrl)
})

afterAll(async () => {
  await model.close()
  await rabbitmq.release()
})

function open(changed: { vhost?: string; password?: string } = {}) {
  const url = new URL(rabbitmq.amqpUrl)
  return openForeignBroker(
    {
      name: 'foreign test',
      vhost: rabbitmq.vhost,
      username: url.username,
      password: url.password,
      connectTimeoutMs: 5_000,
      ...changed,
    },
    {
      async dial(signal) {
        const socket = connectSocket({ host: url.hostname, port: Number(url.port), signal })
        await once(socket, 'connect')
        return socket
      },
    },
  )
}

const message = (more: Partial<ForeignMessage> = {}): ForeignMessage => ({
  exchange: 'callbacks',
  routingKey: 'all',
  messageId: 'm1',
  type: 'poll_complete',
  contentType: 'application/json',
  timestampMs: 1_700_000_000_000,
  headers: { 'webhook-id': 'm1', traceparent: '00-aa-bb-01' },
  body: Buffer.from('{"a":1}'),
  ...more,
})

async function givenQueue(queue: string) {
  const channel = await model.createChannel()
  const received: ConsumeMessage[] = []
  await channel.assertExchange('callbacks', 'direct')
  await channel.assertQueue(queue)
  await channel.bindQueue(queue, 'callbacks', queue)
  await channel.consume(queue, (one) => void (one && received.push(one)), { noAck: true })
  return received
}

test('a message arrives as it was sent, whatever its length', async () => {
  const received = await givenQueue('all')
  const broker = open()
  const long = Buffer.alloc(300_000, 'x')
  expect(await broker.publish(message(), 5_000)).toMatchObject({ kind: 'routed' })
  expect(await broker.publish(message({ body: long }), 5_000)).toMatchObject({ kind: 'routed' })
  expect(await broker.publish(message({ body: Buffer.alloc(0) }), 5_000)).toMatchObject({
    kind: 'routed',
  })
  await waitFor(() => received.length === 3, { what: 'the messages', timeoutMs: 5_000 })
  expect(received.map(({ content }) => content.length)).toEqual([7, 300_000, 0])
  expect(received[0]?.properties).toMatchObject({
    contentType: 'application/json',
    deliveryMode: 2,
    headers: { 'webhook-id': 'm1', traceparent: '00-aa-bb-01' },
    messageId: 'm1',
    timestamp: 1_700_000_000,
    type: 'poll_complete',
  })
  await broker.close()
})

test('what no queue is bound for comes back as unroutable, among others that are routed', async () => {
  const received = await givenQueue('some')
  const broker = open()
  const outcomes = await Promise.all(
    Array.from({ length: 500 }, (_, index) =>
      broker.publish(
        message({ messageId: `m${index}`, routingKey: index % 2 === 0 ? 'some' : 'nobody' }),
        10_000,
      ),
    ),
  )
  expect(outcomes.map(({ kind }) => kind)).toEqual(
    Array.from({ length: 500 }, (_, index) => (index % 2 === 0 ? 'routed' : 'unroutable')),
  )
  await waitFor(() => received.length === 250, { what: 'the messages', timeoutMs: 5_000 })
  await broker.close()
})

test('an exchange that is missing is told, and the next message to another goes', async () => {
  await givenQueue('all')
  const broker = open()
  const [missing, there] = await Promise.all([
    broker.publish(message({ exchange: 'missing' }), 5_000),
    broker.publish(message(), 5_000),
  ])
  expect(missing).toMatchObject({ kind: 'rejected', replyCode: 404 })
  expect(there).toMatchObject({ kind: 'routed' })
  expect(await broker.publish(message(), 5_000)).toMatchObject({ kind: 'routed' })
  await broker.close()
})

test('credentials and virtual hosts that are wrong are told', async () => {
  const stranger = open({ password: 'wrong' })
  expect(await stranger.publish(message(), 5_000)).toMatchObject({
    kind: 'rejected',
    replyCode: 403,
  })
  await stranger.close()
  const lost = open({ vhost: 'nowhere' })
  expect(await lost.publish(message(), 5_000)).toMatchObject({ kind: 'rejected', replyCode: 530 })
  await lost.close()
})

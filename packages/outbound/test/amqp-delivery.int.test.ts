import { createManagementApi, leaseRabbitMq, type RabbitMqLease } from '@signalbox/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAddressPolicy } from '../src/address-policy.ts'
import {
  type AmqpCallback,
  type AmqpDeliveryOptions,
  createAmqpDelivery,
} from '../src/amqp-delivery.ts'
import { resolveTo } from './fixtures.ts'

const policy = createAddressPolicy({ allowHttp: true, allow: ['127.0.0.0/8', '::1'] })

let rabbitmq: RabbitMqLease
let url: string
let credentials: { username: string; password: string }

beforeAll(async () => {
  rabbitmq = await leaseRabbitMq()
  const { vhost } = rabbitmq
  const management = createManagementApi(rabbitmq.managementUrl)
  await management.put(`/exchanges/${vhost}/callbacks`, { type: 'topic' })
  await management.put(`/exchanges/${vhost}/unbound`, { type: 'topic' })
  await management.put(`/exchanges/${vhost}/signalbox.events`, { type: 'topic' })
  await management.put(`/queues/${vhost}/callbacks`, { durable: true })
  const { hostname, port, username, password } = new URL(rabbitmq.amqpUrl)
  expect(hostname).toMatch(/^(127\.0\.0\.1|localhost)$/)
  url = `amqp://broker.test:${port}/${vhost}`
  credentials = { username, password }
})

afterAll(async () => {
  await rabbitmq.release()
})

function open(options: AmqpDeliveryOptions = {}) {
  return createAmqpDelivery(options, { policy, resolve: resolveTo(['127.0.0.1']) })
}

/** Through the default exchange to the queue, unless told otherwise. */
const callback = (more: Partial<AmqpCallback> = {}): AmqpCallback => ({
  url,
  credentials,
  exchange: '',
  routingKey: 'callbacks',
  messageId: 'm1',
  body: '{}',
  ...more,
})

test.each<[string, Partial<AmqpCallback>, object]>([
  ['to where a queue takes it', {}, { outcome: 'delivered', address: '127.0.0.1' }],
  [
    'to where nobody takes it',
    { exchange: 'unbound' },
    { outcome: 'refused', code: 'UNROUTABLE', retryable: true, isGone: false },
  ],
  [
    'to an exchange that is missing',
    { exchange: 'nowhere' },
    { outcome: 'refused', code: 'NOT_FOUND' },
  ],
  [
    'with a password that is wrong',
    { credentials: { username: 'guest', password: 'wrong' } },
    { outcome: 'refused', code: 'NOT_PERMITTED' },
  ],
  ['with a header that is reserved', { headers: { Host: 'x' } }, { outcome: 'forbidden' }],
  [
    'with a routing key that is too long',
    { routingKey: 'x'.repeat(300) },
    { outcome: 'forbidden' },
  ],
  [
    'with a virtual host that cannot be read',
    { url: 'amqp://broker.test/a/b' },
    { outcome: 'forbidden' },
  ],
  ['without a URL where there is no broker of ours', { url: undefined }, { outcome: 'forbidden' }],
])('%s', async (_what, more, expected) => {
  await using delivery = open()
  expect(await delivery.deliver(callback(more))).toMatchObject(expected)
})

test('one connection serves a broker, and it is closed when it was idle', async () => {
  await using delivery = open({ idleMs: 200 })
  const outcomes = await Promise.all(Array.from({ length: 50 }, () => delivery.deliver(callback())))
  expect(outcomes.every(({ outcome }) => outcome === 'delivered')).toBe(true)
  expect(delivery.brokers).toBe(1)
  await expect.poll(() => delivery.brokers, { timeout: 3_000 }).toBe(0)
})

test('on our own broker an account publishes to its exchanges, and not to ours', async () => {
  await using delivery = createAmqpDelivery(
    { homeUrl: rabbitmq.amqpUrl },
    { policy: createAddressPolicy(), resolve: resolveTo(['127.0.0.1']) },
  )
  const home = (exchange: string) => delivery.deliver(callback({ url: undefined, exchange }))
  expect(await home('callbacks')).toMatchObject({ outcome: 'refused', code: 'UNROUTABLE' })
  for (const exchange of ['', 'amq.topic', 'signalbox.events']) {
    expect(await home(exchange)).toMatchObject({ outcome: 'forbidden', code: 'SB_INVALID_INPUT' })
  }
})

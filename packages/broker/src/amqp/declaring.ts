/** Declaring exchanges, queues and bindings on RabbitMQ, 3.10 and later. */
import type { Channel, ChannelModel } from 'amqplib'
import type { ExchangeSpec, QueueSpec } from '../topology.ts'

/**
 * Stands for "no limit". RabbitMQ 4 takes an absent one for 20 and -1 for none; to 3.10, -1 means the first return is one too many.
 * Source: https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling
 */
const NO_DELIVERY_LIMIT = 2 ** 31 - 1

/** What a queue is declared with beside its name. */
export function queueArguments(queue: QueueSpec): Record<string, string | number | boolean> {
  return {
    'x-queue-type': 'quorum',
    'x-delivery-limit': queue.deliveryLimit ?? NO_DELIVERY_LIMIT,
    ...(queue.singleActiveConsumer ? { 'x-single-active-consumer': true } : {}),
    ...(queue.messageTtlMs === undefined ? {} : { 'x-message-ttl': queue.messageTtlMs }),
    ...(queue.deadLetterExchange === undefined ? {} : deadLettering(queue.deadLetterExchange)),
  }
}

/** At-least-once needs reject-publish. Source: https://www.rabbitmq.com/docs/quorum-queues#dead-lettering */
function deadLettering(exchange: string) {
  return {
    'x-dead-letter-exchange': exchange,
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
  }
}

type DeclaringChannel = Pick<Channel, 'assertExchange' | 'assertQueue' | 'bindQueue'>

export async function declareExchange(
  channel: DeclaringChannel,
  exchange: ExchangeSpec,
): Promise<void> {
  await channel.assertExchange(exchange.name, exchange.type, { durable: true })
}

/** With the exchanges that it brings. n.b. a refusal (it exists in another shape) closes the AMQP channel. */
export async function declareQueue(channel: DeclaringChannel, queue: QueueSpec): Promise<void> {
  for (const exchange of queue.exchanges) await declareExchange(channel, exchange)
  await channel.assertQueue(queue.name, { durable: true, arguments: queueArguments(queue) })
  for (const { exchange, routingKey } of queue.bindings) {
    await channel.bindQueue(queue.name, exchange, routingKey)
  }
}

/** Does the work on an AMQP channel of its own, so that a refusal closes no other. */
export async function onOwnChannel(
  model: ChannelModel,
  work: (channel: Channel) => Promise<void>,
): Promise<void> {
  const channel = await model.createChannel()
  channel.on('error', () => undefined)
  await work(channel)
  await channel.close()
}

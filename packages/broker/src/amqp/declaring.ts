/** Declaring exchanges, queues and bindings on RabbitMQ, 3.10 and later. */
import type { Channel, ChannelModel } from 'amqplib'
import type { BindingSpec, ExchangeSpec, QueueSpec, RouteSpec } from '../topology.ts'

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

type RoutingChannel = Pick<Channel, 'bindQueue' | 'bindExchange' | 'unbindQueue' | 'unbindExchange'>
type DeclaringChannel = Pick<
  Channel,
  'assertExchange' | 'assertQueue' | 'bindQueue' | 'bindExchange'
>

export async function declareExchange(
  channel: DeclaringChannel,
  exchange: ExchangeSpec,
): Promise<void> {
  const { name, type, alternateExchange } = exchange
  await channel.assertExchange(name, type, {
    durable: true,
    ...(alternateExchange === undefined ? {} : { alternateExchange }),
  })
}

/** With the exchanges that it brings. n.b. a refusal (it exists in another shape) closes the AMQP channel. */
export async function declareQueue(channel: DeclaringChannel, queue: QueueSpec): Promise<void> {
  for (const exchange of queue.exchanges) await declareExchange(channel, exchange)
  await channel.assertQueue(queue.name, { durable: true, arguments: queueArguments(queue) })
  for (const binding of queue.bindings) {
    await bindRoute(channel, { ...binding, to: { queue: queue.name } })
  }
}

/** What runs between what was declared: bound first, and then what it replaces unbound. */
export async function declareRoutes(
  channel: RoutingChannel,
  { exchanges, queues }: { exchanges: readonly ExchangeSpec[]; queues: readonly QueueSpec[] },
): Promise<void> {
  for (const { name, bindings = [] } of exchanges) {
    for (const binding of bindings) await bindRoute(channel, { ...binding, to: { exchange: name } })
  }
  for (const { name, formerBindings = [] } of queues) {
    for (const binding of formerBindings) {
      await unbindRoute(channel, { ...binding, to: { queue: name } })
    }
  }
}

export async function bindRoute(
  channel: Pick<RoutingChannel, 'bindQueue' | 'bindExchange'>,
  { exchange, routingKey, headers, to }: RouteSpec,
): Promise<void> {
  const args = matching(headers)
  if ('queue' in to) await channel.bindQueue(to.queue, exchange, routingKey, args)
  else await channel.bindExchange(to.exchange, exchange, routingKey, args)
}

export async function unbindRoute(
  channel: Pick<RoutingChannel, 'unbindQueue' | 'unbindExchange'>,
  { exchange, routingKey, headers, to }: RouteSpec,
): Promise<void> {
  const args = matching(headers)
  if ('queue' in to) await channel.unbindQueue(to.queue, exchange, routingKey, args)
  else await channel.unbindExchange(to.exchange, exchange, routingKey, args)
}

function matching(headers: BindingSpec['headers']): Record<string, string> {
  return headers === undefined ? {} : { 'x-match': 'all', ...headers }
}

/** Does the work on an AMQP channel of its own, so that a refusal closes no other. */
export async function onOwnChannel<Outcome>(
  model: ChannelModel,
  work: (channel: Channel) => Promise<Outcome>,
): Promise<Outcome> {
  const channel = await model.createChannel()
  channel.on('error', () => undefined)
  const outcome = await work(channel)
  await channel.close()
  return outcome
}

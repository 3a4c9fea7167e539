/** A delivery as RabbitMQ brings it. */
import { traceparentSchema } from '@signalbox/contracts'
import type { ConsumeMessage } from 'amqplib'
import type { Death, Delivery, MessageProperties } from '../port.ts'
import { SLOT_HEADER } from '../relay-slot.ts'

export class AmqpDelivery implements Delivery {
  readonly body: Buffer
  readonly exchange: string
  readonly routingKey: string
  readonly redelivered: boolean
  readonly deliveryCount: number
  readonly properties: Partial<MessageProperties>
  readonly death: Death | undefined
  readonly #lost: AbortSignal

  constructor({ content, fields, properties }: ConsumeMessage, lost: AbortSignal) {
    this.body = content
    this.exchange = fields.exchange
    this.routingKey = fields.routingKey
    this.redelivered = fields.redelivered
    this.deliveryCount = deliveryCountOf(fields.redelivered, properties.headers)
    this.properties = propertiesOf(properties)
    this.death = deathOf(properties)
    this.#lost = lost
  }

  get isVoid(): boolean {
    return this.#lost.aborted
  }
}

/** What a foreign client left out, or filled with something else than it should be, is absent. */
function propertiesOf(wire: ConsumeMessage['properties']): Partial<MessageProperties> {
  const properties: Partial<MessageProperties> = {}
  if (typeof wire.messageId === 'string') properties.messageId = wire.messageId
  if (typeof wire.type === 'string') properties.type = wire.type
  if (typeof wire.timestamp === 'number') properties.timestampMs = wire.timestamp * 1_000
  if (typeof wire.replyTo === 'string') properties.replyTo = wire.replyTo
  const traceparent = traceparentOf(wire.headers)
  if (traceparent !== undefined) properties.traceparent = traceparent
  const slot: unknown = wire.headers?.[SLOT_HEADER]
  if (typeof slot === 'string' && /^\d{1,2}$/.test(slot)) properties.slot = Number(slot)
  return properties
}

function traceparentOf(headers: ConsumeMessage['properties']['headers']): string | undefined {
  const value: unknown = headers?.traceparent
  return value === undefined ? undefined : traceparentSchema.safeParse(value).data
}

/** A quorum queue counts in this header from the second delivery on. Source: https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling */
function deliveryCountOf(
  redelivered: boolean,
  headers: ConsumeMessage['properties']['headers'],
): number {
  if (!redelivered) return 0
  const count: unknown = headers?.['x-delivery-count']
  return typeof count === 'number' && count >= 1 ? count : 1
}

/**
 * The newest entry of `x-death`, which comes first.
 * Source: https://www.rabbitmq.com/docs/dlx#effects
 */
function deathOf({ headers }: ConsumeMessage['properties']): Death | undefined {
  const deaths: unknown = headers?.['x-death']
  const newest: unknown = Array.isArray(deaths) ? deaths[0] : undefined
  if (typeof newest !== 'object' || newest === null) return undefined
  const entry = newest as Record<string, unknown>
  const [routingKey] = Array.isArray(entry['routing-keys'])
    ? (entry['routing-keys'] as unknown[])
    : []
  const time = entry.time as { value?: unknown } | undefined
  return {
    reason: textOf(entry.reason),
    queue: textOf(entry.queue),
    exchange: textOf(entry.exchange),
    routingKey: textOf(routingKey),
    atMs: typeof time?.value === 'number' ? time.value * 1_000 : 0,
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

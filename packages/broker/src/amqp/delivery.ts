/** A delivery as RabbitMQ brings it. */
import type { ConsumeMessage } from 'amqplib'
import type { Delivery, MessageProperties } from '../port.ts'

export class AmqpDelivery implements Delivery {
  readonly body: Buffer
  readonly exchange: string
  readonly routingKey: string
  readonly redelivered: boolean
  readonly properties: Partial<MessageProperties>
  readonly #lost: AbortSignal

  constructor({ content, fields, properties }: ConsumeMessage, lost: AbortSignal) {
    this.body = content
    this.exchange = fields.exchange
    this.routingKey = fields.routingKey
    this.redelivered = fields.redelivered
    this.properties = propertiesOf(properties)
    this.#lost = lost
  }

  get isVoid(): boolean {
    return this.#lost.aborted
  }
}

/** What a foreign client left out, or filled with something else than text, is absent. */
function propertiesOf(wire: ConsumeMessage['properties']): Partial<MessageProperties> {
  const properties: Partial<MessageProperties> = {}
  const traceparent: unknown = wire.headers?.traceparent
  if (typeof wire.messageId === 'string') properties.messageId = wire.messageId
  if (typeof wire.type === 'string') properties.type = wire.type
  if (typeof wire.timestamp === 'number') properties.timestampMs = wire.timestamp * 1_000
  if (typeof wire.replyTo === 'string') properties.replyTo = wire.replyTo
  if (typeof traceparent === 'string') properties.traceparent = traceparent
  return properties
}

/**
 * The acknowledgements of one AMQP channel, many deliveries to a frame.
 *
 * What is acknowledged within a turn of the event loop is sent at its end. Up to the oldest delivery that is still in hand one frame does
 * for all of them. Those behind it are acknowledged one by one: a slow delivery must not keep its followers' places in the prefetch.
 * Source: https://www.rabbitmq.com/docs/confirms#consumer-acks-multiple-parameter
 */
import type { Channel, ConsumeMessage } from 'amqplib'

type Tagged = Pick<ConsumeMessage, 'fields'>

export class Acknowledger {
  readonly #channel: Pick<Channel, 'ack' | 'nack'>
  /** Tags of what is not settled, in the order of their delivery, which is that of the tags. */
  readonly #inHand = new Set<number>()
  #acknowledged: Tagged[] = []

  constructor(channel: Pick<Channel, 'ack' | 'nack'>) {
    this.#channel = channel
  }

  /** To be told of each delivery as it comes. */
  taken({ fields }: Tagged): void {
    this.#inHand.add(fields.deliveryTag)
  }

  ack(message: Tagged): void {
    this.#inHand.delete(message.fields.deliveryTag)
    if (this.#acknowledged.push(message) === 1) setImmediate(() => this.flush())
  }

  /** Gives a delivery back: to its queue, or to its dead-letter exchange. */
  nack(message: Tagged, { requeue }: { requeue: boolean }): void {
    this.#inHand.delete(message.fields.deliveryTag)
    this.#send(() => this.#channel.nack(message as ConsumeMessage, false, requeue))
  }

  /** Sends what waits for the end of the turn. */
  flush(): void {
    const acknowledged = this.#acknowledged
    this.#acknowledged = []
    const [oldest = Number.POSITIVE_INFINITY] = this.#inHand
    let last: Tagged | undefined
    let count = 0
    for (const message of acknowledged) {
      const { deliveryTag } = message.fields
      if (deliveryTag > oldest) {
        this.#send(() => this.#channel.ack(message as ConsumeMessage))
        continue
      }
      count += 1
      if (last === undefined || deliveryTag > last.fields.deliveryTag) last = message
    }
    if (last === undefined) return
    const upTo = last as ConsumeMessage
    this.#send(() => this.#channel.ack(upTo, count > 1))
  }

  /** n.b. a channel refuses everything from the moment its connection begins to close, before it says so. */
  #send(frame: () => void): void {
    try {
      frame()
    } catch {
      return
    }
  }
}

/**
 * The yardstick: amqplib alone, one hop. Events are published with confirms to a quorum queue and acknowledged one by one by a
 * consumer on a connection of its own. `noDelay` and the prefetch are those that Signalbox uses.
 */
import amqp from 'amqplib'

const QUEUE = 'bench.raw'
const PREFETCH = 1_000

export interface RawHop extends AsyncDisposable {
  /** Resolves with the confirm. */
  publish(body: Buffer): Promise<void>
  /** Called with each message, before its acknowledgement. */
  onMessage: (body: Buffer) => void
}

export async function openRawHop(amqpUrl: string): Promise<RawHop> {
  const [out, back] = await Promise.all([1, 2].map(() => amqp.connect(amqpUrl, { noDelay: true })))
  const publishing = await out!.createConfirmChannel()
  const consuming = await back!.createChannel()
  await publishing.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
  await consuming.prefetch(PREFETCH)
  const hop: RawHop = {
    onMessage: () => {},
    publish: (body) =>
      new Promise((resolve, reject) =>
        publishing.sendToQueue(QUEUE, body, { deliveryMode: 2 }, (error: unknown) =>
          error ? reject(error as Error) : resolve(),
        ),
      ),
    async [Symbol.asyncDispose]() {
      await publishing.deleteQueue(QUEUE)
      await Promise.all([out!.close(), back!.close()])
    },
  }
  await consuming.consume(QUEUE, (message) => {
    if (!message) return
    hop.onMessage(message.content)
    consuming.ack(message)
  })
  return hop
}

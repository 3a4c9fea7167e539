/**
 * A worker that does most things wrong: it takes without bound or acknowledgement, answers the first of a batch, knows few fields,
 * makes outputs too long, and dies of a bad message, of a lost connection and, badly, of SIGTERM.
 */
import amqp from 'amqplib'

interface Taken {
  invocation_id: string
  config: { text: unknown }
  context: { run_id: string; event: { event_id: string; account_key: string } }
}

const { AMQP_URL = '', SIGNALBOX_NAMESPACE = 'signalbox' } = process.env
const connection = await amqp.connect(AMQP_URL)
const channel = await connection.createChannel()
process.on('SIGTERM', () => process.exit(3))

await channel.consume(
  `${SIGNALBOX_NAMESPACE}.handler.reverse`,
  (message) => {
    if (!message) return
    const [{ invocation_id, config, context }] = JSON.parse(message.content.toString()) as [Taken]
    const { event_id, account_key } = context.event
    const result = {
      invocation_id,
      attempt: 1,
      status: 'succeeded',
      output: { text: String(config.text).padEnd(70_002, '.') },
      context: { run_id: context.run_id, event: { event_id, account_key } },
    }
    const body = Buffer.from(JSON.stringify([result]))
    channel.sendToQueue(String(message.properties.replyTo), body)
  },
  { noAck: true },
)

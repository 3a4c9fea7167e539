/** Removing a queue for good: what tools do that made one for a while (a load test's handler), and no service ever. */
import { UnavailableError } from '@signalbox/kit'
import { connect } from 'amqplib'

/** With what is in it; nothing when there is none of that name. Throws `UnavailableError`. */
export async function removeAmqpQueue(url: string, name: string): Promise<void> {
  try {
    const model = await connect(url)
    // n.b. what breaks the connection makes the calls below reject as well.
    model.on('error', () => undefined)
    try {
      const channel = await model.createChannel()
      await channel.deleteQueue(name)
    } finally {
      await model.close()
    }
  } catch (cause) {
    throw new UnavailableError(`queue ${name} cannot be removed`, {
      code: 'SB_BROKER_UNAVAILABLE',
      cause,
    })
  }
}

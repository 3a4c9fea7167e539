/** A bounded stream of events from a plain AMQP client that outlives its broker; it knows which were confirmed. */
import { setTimeout as pause } from 'node:timers/promises'
import amqp from 'amqplib'

export interface LoadOptions {
  amqpUrl: string
  namespace: string
  ratePerSecond: number
  /** The `index`th event. */
  eventOf(index: number): {
    event_id: string
    account_key: string
    conversation_type: string
    event_type: string
  }
}

export interface Load {
  /** The event_ids whose publish was confirmed, so far. */
  readonly confirmed: ReadonlySet<string>
  /** Stops publishing; resolves when no confirm is outstanding. */
  stop(): Promise<void>
}

const TICK_MS = 20
const RECONNECT_MS = 200

/**
 * Publishes until stopped. What was refused, or not confirmed when a connection broke, is not published again: it does not count.
 * n.b. after a refusal it connects anew, because a channel may be refused for as long as a node is away.
 */
export function startLoad({ amqpUrl, namespace, ratePerSecond, eventOf }: LoadOptions): Load {
  const confirmed = new Set<string>()
  let isStopped = false
  let index = 0

  async function publishUntilBroken(): Promise<void> {
    const connection = await amqp.connect(amqpUrl)
    connection.on('error', () => {})
    const channel = await connection.createConfirmChannel()
    let isBroken = false
    let isRefused = false
    channel.on('error', () => {})
    channel.on('close', () => {
      isBroken = true
    })
    while (!isStopped && !isBroken && !isRefused) {
      for (let count = 0; count < (ratePerSecond * TICK_MS) / 1_000; count++) {
        const event = eventOf(index++)
        channel.publish(
          `${namespace}.events`,
          `${event.conversation_type}.${event.event_type}.${event.account_key}`,
          Buffer.from(JSON.stringify(event)),
          { deliveryMode: 2, mandatory: true },
          (error: unknown) => {
            if (error) isRefused = true
            else confirmed.add(event.event_id)
          },
        )
      }
      await pause(TICK_MS)
    }
    if (isBroken) return
    await channel.waitForConfirms().catch(() => {})
    await connection.close().catch(() => {})
  }

  const running = (async () => {
    while (!isStopped) {
      await publishUntilBroken().catch(() => {})
      if (!isStopped) await pause(RECONNECT_MS)
    }
  })()

  return {
    confirmed,
    async stop() {
      isStopped = true
      await running
    },
  }
}

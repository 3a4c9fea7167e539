/**
 * The RabbitMQ engine: a connection with one AMQP channel for publishing, and another with one for each consumer. They are apart because
 * a broker that is short of memory stops reading from whoever publishes, and with that from their acknowledgements, which would relieve it.
 *
 * The fixed topology is declared on every new connection before anything is published, and a refusal (somebody declared it
 * otherwise) fails the connection, which is tried again: a publish must not find a topology that would lose it. An added
 * queue that is refused keeps nobody else from working; it is tried again alone. Either is said by `unavailableReason`. While connected,
 * the fixed topology and what is consumed are declared again every few seconds: who deletes an exchange takes its bindings along, and
 * nobody is told of that. A queue that is only declared comes back when it is declared again, or with the next connection.
 */
import { backoffDelayMs, delay, type Log, UnavailableError } from '@signalbox/kit'
import type { ChannelModel, ConfirmChannel } from 'amqplib'
import { createDeclarations } from '../declarations.ts'
import type { Broker } from '../port.ts'
import { prefetchOf } from '../prefetch.ts'
import { createPublisher } from '../publisher.ts'
import type { QueueSpec, Topology } from '../topology.ts'
import { atMost } from './at-most.ts'
import { ConfirmPublisher } from './confirm-publisher.ts'
import { AmqpConnection, reasonOf } from './connection.ts'
import { AmqpConsumer } from './consumer.ts'
import { declareExchange, declareQueue, onOwnChannel } from './declaring.ts'
import { KeptChannel } from './kept-channel.ts'

/** What was deleted is back within this. Declaring what is there already costs the broker a look-up each. */
const REPAIR_INTERVAL_MS = 3_000

export interface AmqpBrokerOptions {
  /** `amqp://` or `amqps://`. */
  url: string
  topology: Topology
  log: Log
  /** As RabbitMQ's own tools show the connection. */
  connectionName: string
  /** Messages sent and not confirmed; default 2,000. */
  maxInFlight?: number
  /** How long a publish waits for its confirm; default 10,000 ms. */
  publishTimeoutMs?: number
}

/**
 * Resolves at once and connects in the background, for as long as it takes; `unavailableReason` says why it is not there. Until then
 * publishes wait for their timeout, `declare` and `consume` for the connection. Throws `ConfigError` on a bad URL.
 */
export async function openAmqpBroker(options: AmqpBrokerOptions): Promise<Broker> {
  const { url, topology, log, connectionName } = options
  const { maxInFlight = 2_000, publishTimeoutMs = 10_000 } = options
  const declarations = createDeclarations(topology)
  const consumers = new Set<AmqpConsumer>()
  /** Added queues whose declaration is not done yet; `reason`: the broker refused it. */
  const undeclared = new Map<string, { done: Promise<void>; reason?: string }>()
  /** When an added queue was asked for last. */
  const declaredAtMs = new Map<string, number>()
  /** Connections whose topology was declared just now, when they opened. */
  const fresh = new WeakSet<ChannelModel>()
  const closed = new AbortController()
  let closing: Promise<void> | undefined
  let isRepairing = false
  let repairFailure: string | undefined

  const connection = new AmqpConnection({ url, name: connectionName }, { log, setUp })
  const confirmed = new ConfirmPublisher(
    { maxInFlight, timeoutMs: publishTimeoutMs },
    {
      isBlocked: () => connection.isBlocked(),
      unavailableReason,
      wantChannel: (reason) => publishing.replace(reason),
    },
  )
  const publishing = new KeptChannel(
    {
      name: 'publishing',
      create: async (model) => {
        // What closed the last one may have been an exchange that somebody deleted.
        if (!fresh.delete(model)) await declareAll(model)
        return model.createConfirmChannel()
      },
      setUp: async (channel) => confirmed.use(channel),
      finish: (channel, over) => atMost(allConfirmed(channel, over), publishTimeoutMs, over),
    },
    { connection, log },
  )
  connection.listen({ onUnblocked: () => confirmed.pump() })
  /** Opened for the first consumer. */
  const consuming = new AmqpConnection(
    { url, name: `${connectionName} (consuming)` },
    { log, setUp: declareAll },
  )
  let isConsuming = false

  async function setUp(model: ChannelModel): Promise<void> {
    await declareAll(model)
    fresh.add(model)
  }

  async function declareAll(
    model: ChannelModel,
    added: readonly QueueSpec[] = declarations.addedQueues(),
  ): Promise<void> {
    await onOwnChannel(model, async (channel) => {
      for (const exchange of declarations.fixedExchanges) await declareExchange(channel, exchange)
      for (const queue of declarations.fixedQueues) await declareQueue(channel, queue)
    })
    for (const queue of added) {
      await onOwnChannel(model, (channel) => declareQueue(channel, queue)).catch(() => {
        declareAdded(queue)
      })
    }
  }

  async function repair(): Promise<void> {
    const { session } = connection
    // n.b. a broker that blocks publishers does not read declarations either.
    if (!session || isRepairing || connection.isBlocked()) return
    isRepairing = true
    let failure: string | undefined
    try {
      const consumed = [...consumers].map(({ queue }) => declarations.queueNamed(queue))
      await declareAll(session.model, consumed)
    } catch (error) {
      if (!session.lost.aborted) failure = `the topology: ${reasonOf(error)}`
    }
    isRepairing = false
    if (failure !== undefined && failure !== repairFailure) {
      log.error({ reason: failure }, 'topology.repair_failed')
    }
    repairFailure = failure
  }

  /** Tries until it is done; the entry is gone then. */
  function declareAdded(queue: QueueSpec): void {
    if (undeclared.has(queue.name)) return
    const entry: { done: Promise<void>; reason?: string } = { done: Promise.resolve() }
    const attempts = async (): Promise<void> => {
      for (let attempt = 1; ; attempt += 1) {
        const { model, lost } = await connection.nextSession()
        try {
          await onOwnChannel(model, (channel) => declareQueue(channel, queue))
          return void undeclared.delete(queue.name)
        } catch (error) {
          const reason = reasonOf(error)
          if (!lost.aborted && entry.reason !== reason) {
            entry.reason = reason
            log.error({ queue: queue.name, reason }, 'queue.refused')
          }
          await delay(backoffDelayMs(attempt), closed.signal)
        }
      }
    }
    undeclared.set(queue.name, entry)
    entry.done = attempts()
    entry.done.catch(() => undefined)
  }

  function unavailableReason(): string | undefined {
    if (closed.signal.aborted) return 'the broker was closed'
    const parts = [connection, publishing, ...(isConsuming ? [consuming] : []), ...consumers]
    const reasons = parts.map((part) => part.unavailableReason())
    const refusals = [...undeclared].map(
      ([name, { reason }]) => reason && `queue ${name}: ${reason}`,
    )
    return [...reasons, ...refusals, repairFailure].find((reason) => reason !== undefined)
  }

  function requireOpen(): void {
    if (!closing) return
    throw new UnavailableError('the broker was closed', { code: 'SB_BROKER_UNAVAILABLE' })
  }

  async function close(): Promise<void> {
    clearInterval(repairing)
    await Promise.all([...consumers].map((consumer) => consumer.close()))
    await confirmed.close()
    await publishing.close()
    closed.abort()
    await Promise.all([connection.close(), consuming.close()])
  }

  const closeOnce = (): Promise<void> => {
    closing ??= close()
    return closing
  }
  const publish: Broker['publish'] = async (message) => {
    declarations.requireExchange(message.exchange)
    return confirmed.publish(message)
  }
  const publisher = createPublisher({ topology, publish })

  await connection.open()
  const repairing = setInterval(() => void repair(), REPAIR_INTERVAL_MS)
  return {
    topology,
    unavailableReason,
    publish,
    async declare(queue) {
      requireOpen()
      const isStale = Date.now() - (declaredAtMs.get(queue.name) ?? 0) > REPAIR_INTERVAL_MS
      if (declarations.add(queue) || isStale) {
        declaredAtMs.set(queue.name, Date.now())
        declareAdded(queue)
      }
      await undeclared.get(queue.name)?.done
    },
    async consume(queue, consumeOptions, onDelivery) {
      requireOpen()
      const consumer = new AmqpConsumer(
        {
          queue: declarations.queueNamed(queue),
          prefetch: prefetchOf(consumeOptions),
          onDelivery,
        },
        { connection: consuming, log, publisher, onClosed: (gone) => consumers.delete(gone) },
      )
      consumers.add(consumer)
      if (!isConsuming) {
        isConsuming = true
        await consuming.open()
      }
      await consumer.registered()
      return consumer
    },
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  }
}

/** Resolves when nothing is unconfirmed. n.b. `waitForConfirms` rejects as soon as one message is refused, and when the channel closes. */
async function allConfirmed(channel: ConfirmChannel, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const isDone = await channel.waitForConfirms().then(
      () => true,
      () => false,
    )
    if (isDone) return
  }
}

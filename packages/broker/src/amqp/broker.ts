/**
 * The RabbitMQ engine: a connection with one AMQP channel for publishing and one for each lane, and another with one for each consumer.
 * They are apart because a broker that is short of memory stops reading from whoever publishes, and with that from their acknowledgements,
 * which would relieve it. A lane's channel is its own because RabbitMQ keeps a channel waiting, for 65 s, when the first message on it
 * for a quorum queue finds that queue without a leader.
 *
 * The fixed topology is declared on every new connection before anything is published, and a refusal (somebody declared it
 * otherwise) fails the connection, which is tried again: a publish must not find a topology that would lose it. An added
 * queue that is refused keeps nobody else from working; it is tried again alone. Either is said by `unavailableReason`. While connected,
 * the fixed topology and what is consumed are declared again every few seconds: who deletes an exchange takes its bindings along, and
 * nobody is told of that. A queue that is only declared comes back when it is declared again, or with the next connection; a route that
 * was bound, in its turn.
 */
import { backoffDelayMs, delay, type Log, UnavailableError } from '@signalbox/kit'
import type { Channel, ChannelModel, ConfirmChannel } from 'amqplib'
import { createDeclarations } from '../declarations.ts'
import type { Broker } from '../port.ts'
import { prefetchOf } from '../prefetch.ts'
import { createPublisher } from '../publisher.ts'
import type { QueueSpec, RouteSpec, Topology } from '../topology.ts'
import { atMost } from './at-most.ts'
import { ConfirmPublisher } from './confirm-publisher.ts'
import { AmqpConnection, reasonOf } from './connection.ts'
import { AmqpConsumer } from './consumer.ts'
import {
  bindRoute,
  declareExchange,
  declareQueue,
  declareRoutes,
  onOwnChannel,
  unbindRoute,
} from './declaring.ts'
import { KeptChannel } from './kept-channel.ts'

/** What was deleted is back within this. Declaring what is there already costs the broker a look-up each. */
const REPAIR_INTERVAL_MS = 3_000
/** Of the 2,047 AMQP channels that RabbitMQ lets a connection have. */
const MAX_LANES = 256

/** Of the routes that were bound at run time, which can be many, this many at each repair, in turn. */
const ROUTES_PER_REPAIR = 100

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
  const closed = new AbortController()
  let closing: Promise<void> | undefined
  let isRepairing = false
  let repairFailure: string | undefined
  let nextRoute = 0

  const connection = new AmqpConnection({ url, name: connectionName }, { log, setUp })
  const main = openPublishing('publishing')
  const lanes = new Map<string, typeof main>()
  const allPublishing = () => [main, ...lanes.values()]
  connection.listen({
    onUnblocked: () => {
      for (const { confirmed } of allPublishing()) confirmed.pump()
    },
  })
  /** Opened for the first consumer. */
  const consuming = new AmqpConnection(
    { url, name: `${connectionName} (consuming)` },
    { log, setUp: declareAll },
  )
  let isConsuming = false

  async function setUp(model: ChannelModel): Promise<void> {
    await declareAll(model)
    await bindAll(model, declarations.routes())
  }

  function openPublishing(name: string) {
    const confirmed = new ConfirmPublisher(
      { maxInFlight, timeoutMs: publishTimeoutMs },
      {
        isBlocked: () => connection.isBlocked(),
        unavailableReason,
        wantChannel: (reason) => channel.replace(reason),
      },
    )
    let lastModel: ChannelModel | undefined
    const channel: KeptChannel<ConfirmChannel> = new KeptChannel(
      {
        name,
        create: async (model) => {
          // What closed the last one may have been an exchange that somebody deleted.
          if (model === lastModel) await declareAll(model)
          lastModel = model
          return model.createConfirmChannel()
        },
        setUp: async (opened) => confirmed.use(opened),
        finish: (replaced, over) => atMost(allConfirmed(replaced, over), publishTimeoutMs, over),
      },
      { connection, log },
    )
    return { confirmed, channel }
  }

  function publishingOf(lane: string | undefined): typeof main {
    if (lane === undefined) return main
    const known = lanes.get(lane)
    if (known) return known
    if (lanes.size >= MAX_LANES || closing) return main
    const opened = openPublishing(`publishing to ${lane}`)
    lanes.set(lane, opened)
    return opened
  }

  async function declareAll(
    model: ChannelModel,
    added: readonly QueueSpec[] = declarations.addedQueues(),
  ): Promise<void> {
    await onOwnChannel(model, async (channel) => {
      for (const exchange of declarations.fixedExchanges) await declareExchange(channel, exchange)
      for (const queue of declarations.fixedQueues) await declareQueue(channel, queue)
      await declareRoutes(channel, {
        exchanges: declarations.fixedExchanges,
        queues: declarations.fixedQueues,
      })
    })
    for (const queue of added) {
      await onOwnChannel(model, (channel) => declareQueue(channel, queue)).catch(() => {
        declareAdded(queue)
      })
    }
  }

  /** Each on its own AMQP channel only when they fail together: one whose queue was deleted must not keep the others from working. */
  async function bindAll(model: ChannelModel, routes: Iterable<RouteSpec>): Promise<void> {
    const wanted = [...routes]
    if (wanted.length === 0) return
    const bindOnOne = (some: readonly RouteSpec[]) =>
      onOwnChannel(model, async (channel) => {
        for (const route of some) await bindRoute(channel, route)
      })
    try {
      await bindOnOne(wanted)
    } catch (error) {
      if (wanted.length === 1) log.debug({ reason: reasonOf(error) }, 'route.refused')
      else for (const route of wanted) await bindAll(model, [route])
    }
  }

  function routesInTurn(): RouteSpec[] {
    const routes = [...declarations.routes()]
    if (nextRoute >= routes.length) nextRoute = 0
    const turn = routes.slice(nextRoute, nextRoute + ROUTES_PER_REPAIR)
    nextRoute += ROUTES_PER_REPAIR
    return turn
  }

  /** Now or not at all: who binds has somebody waiting, and tries again. */
  async function onSession<Outcome>(
    work: (channel: Channel) => Promise<Outcome>,
  ): Promise<Outcome> {
    requireOpen()
    const { session } = connection
    const reason = connection.unavailableReason()
    if (!session || reason !== undefined) throw unavailable(reason ?? 'not connected')
    const outcome = onOwnChannel(session.model, work).catch((cause: unknown) => {
      throw unavailable(reasonOf(cause), cause)
    })
    let isEnded = false
    outcome.then(
      () => (isEnded = true),
      () => (isEnded = true),
    )
    await atMost(outcome, publishTimeoutMs, session.lost)
    if (!isEnded) throw unavailable(`the broker did not answer within ${publishTimeoutMs} ms`)
    return outcome
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
      await bindAll(session.model, routesInTurn())
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
    const { channel, confirmed } = main
    const parts = [
      connection,
      channel,
      confirmed,
      ...(isConsuming ? [consuming] : []),
      ...consumers,
    ]
    const reasons = parts.map((part) => part.unavailableReason())
    const refusals = [...undeclared].map(
      ([name, { reason }]) => reason && `queue ${name}: ${reason}`,
    )
    return [...reasons, ...refusals, repairFailure].find((reason) => reason !== undefined)
  }

  function requireOpen(): void {
    if (!closing) return
    throw unavailable('the broker was closed')
  }

  /** Throws when it is known that nothing is confirmed now. What is only about to be there is waited for. */
  function requireAnswering(): void {
    const isStarting = connection.isNew && !closing
    const reason =
      (isStarting ? undefined : connection.unavailableReason()) ??
      main.confirmed.unavailableReason()
    if (reason === undefined) return
    throw unavailable(`the broker cannot take anything now: ${reason}`)
  }

  async function close(): Promise<void> {
    clearInterval(repairing)
    await Promise.all([...consumers].map((consumer) => consumer.close()))
    await Promise.all(allPublishing().map(({ confirmed }) => confirmed.close()))
    await Promise.all(allPublishing().map(({ channel }) => channel.close()))
    closed.abort()
    await Promise.all([connection.close(), consuming.close()])
  }

  const closeOnce = (): Promise<void> => {
    closing ??= close()
    return closing
  }
  const publish: Broker['publish'] = async (message, { lane, patienceMs } = {}) => {
    declarations.requireExchange(message.exchange)
    if (patienceMs !== undefined) requireAnswering()
    return publishingOf(lane).confirmed.publish(message, patienceMs)
  }
  const publisher = createPublisher({ topology, publish })

  await connection.open()
  const repairing = setInterval(() => void repair(), REPAIR_INTERVAL_MS)
  return {
    topology,
    unavailableReason,
    publish,
    async declare(queue, { patienceMs } = {}) {
      requireOpen()
      if (patienceMs !== undefined) requireAnswering()
      const isStale = Date.now() - (declaredAtMs.get(queue.name) ?? 0) > REPAIR_INTERVAL_MS
      if (declarations.add(queue) || isStale) {
        declaredAtMs.set(queue.name, Date.now())
        declareAdded(queue)
      }
      const waiting = undeclared.get(queue.name)
      if (patienceMs === undefined || !waiting) return waiting?.done
      await atMost(waiting.done, patienceMs)
      if (undeclared.get(queue.name) === waiting) throw notDeclared(queue, waiting.reason)
    },
    async bind(route) {
      const isNew = declarations.addRoute(route)
      try {
        await onSession((channel) => bindRoute(channel, route))
      } catch (error) {
        if (isNew) declarations.removeRoute(route)
        throw error
      }
    },
    async unbind(route) {
      declarations.removeRoute(route)
      await onSession((channel) => unbindRoute(channel, route))
    },
    letGo: (route) => declarations.removeRoute(route),
    async messagesIn(queue) {
      return onSession(async (channel) => {
        const { messageCount } = await channel.checkQueue(queue)
        return messageCount
      }).catch((error: unknown) => {
        if (isNotFound(error)) return undefined
        throw error
      })
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

function unavailable(message: string, cause?: unknown): UnavailableError {
  return new UnavailableError(message, {
    code: 'SB_BROKER_UNAVAILABLE',
    ...(cause === undefined ? {} : { cause }),
  })
}

/** Of AMQP's reply codes. Source: https://www.rabbitmq.com/docs/specification */
const NOT_FOUND = 404

function isNotFound(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: unknown } }
  return cause?.code === NOT_FOUND
}

function notDeclared({ name }: QueueSpec, reason = 'the broker has not answered') {
  return unavailable(`the queue "${name}" cannot be declared now: ${reason}`)
}

/** The edge: the relay that fills the channels, and the gateway that shows them over WebSockets. */
import { randomUUID } from 'node:crypto'
import type { Broker } from '@signalbox/broker'
import {
  createHttpApp,
  createTokenVerifier,
  type Log,
  type Metrics,
  type Readiness,
} from '@signalbox/kit'
import type { Store } from '@signalbox/store'
import type { FastifyInstance } from 'fastify'
import { createChannelRegistry } from './channel-registry.ts'
import type { EdgeSocket } from './edge-socket.ts'
import { FrameWriters } from './frame-writer.ts'
import { addGateway } from './gateway.ts'
import { createInterest, type Interest, type InterestDeps } from './interest.ts'
import {
  DEFAULT_JOIN_MS,
  DEFAULT_MAX_BUFFERED_BYTES,
  DEFAULT_MAX_CONNECTIONS,
  DEFAULT_MAX_SUBSCRIPTIONS,
  DEFAULT_RELAY_PARTITIONS,
} from './limits.ts'
import { createEdgeMetrics } from './metrics.ts'
import { type RelayDeps, startRelay } from './relay.ts'

export interface EdgeOptions {
  /** Verifies the clients' tokens; the api signs with the same. */
  tokenSecret: string
  /** WebSockets in this process; default 10,000. */
  maxConnections?: number
  /** Subscriptions of one WebSocket; default 100. */
  maxSubscriptions?: number
  /** The longest that a frame waits to leave in one write with others, in milliseconds; default 5, 0: none waits. */
  joinMs?: number
  /** Unsent bytes of one WebSocket; default 1 MiB. */
  maxBufferedBytes?: number
  /** Queues that the relays of all edges share, 1 to 16; default 1. The same at every edge. */
  relayPartitions?: number
}

export interface EdgeDeps {
  broker: RelayDeps['broker'] & InterestDeps['broker'] & Pick<Broker, 'unavailableReason'>
  store: Pick<Store, 'channels' | 'interest' | 'relays' | 'unavailableReason'>
  log: Log
  readiness: Readiness
  metrics: Metrics
}

/** Disposing it: sockets are closed with 1001, channels are released, the relay stops. */
export interface Edge extends AsyncDisposable {
  readonly app: FastifyInstance
}

/** Relaying as soon as the broker is there, not listening yet. The broker and the store stay the caller's to close. */
export async function createEdge(options: EdgeOptions, deps: EdgeDeps): Promise<Edge> {
  const { broker, store, log, readiness } = deps
  const {
    maxConnections = DEFAULT_MAX_CONNECTIONS,
    maxSubscriptions = DEFAULT_MAX_SUBSCRIPTIONS,
    joinMs = DEFAULT_JOIN_MS,
    maxBufferedBytes = DEFAULT_MAX_BUFFERED_BYTES,
  } = options
  const sockets = new Set<EdgeSocket>()
  const metrics = createEdgeMetrics(deps.metrics, sockets)
  await using stack = new AsyncDisposableStack()

  const relay = stack.use(
    startRelay(
      { relayId: randomUUID(), partitions: options.relayPartitions ?? DEFAULT_RELAY_PARTITIONS },
      {
        broker,
        channels: store.channels,
        interest: store.interest,
        relays: store.relays,
        log,
        metrics,
        storeUnavailableReason: () => store.unavailableReason(),
        onOrphan: (accountKey) => interest.orphaned(accountKey),
      },
    ),
  )
  const interest: Interest = stack.use(
    createInterest(
      {},
      {
        broker,
        channels: store.channels,
        interest: store.interest,
        log,
        wanted: () => channels.accounts(),
        isLeader: relay.isLeader,
      },
    ),
  )
  const channels = stack.use(
    createChannelRegistry({ channels: store.channels, interest, log, metrics }),
  )
  const writers = stack.use(new FrameWriters({ joinMs, maxBufferedBytes }, { metrics }))
  const app = createHttpApp({}, deps)
  stack.defer(() => app.close())
  addGateway(
    app,
    { maxConnections, maxSubscriptions },
    {
      verifyToken: createTokenVerifier(options.tokenSecret),
      channels,
      writers,
      sockets,
      log,
      metrics,
    },
  )
  readiness.add('rabbitmq', () => broker.unavailableReason())
  readiness.add('redis', () => store.unavailableReason())
  readiness.add('relay', () => relay.unavailableReason())

  const owned = stack.move()
  return { app, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

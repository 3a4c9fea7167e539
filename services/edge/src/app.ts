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
import { createAdmission } from './admission.ts'
import { createChannelRegistry } from './channel-registry.ts'
import type { EdgeSocket } from './edge-socket.ts'
import { FrameWriters } from './frame-writer.ts'
import { addGateway } from './gateway.ts'
import { createInterest, type Interest, type InterestDeps } from './interest.ts'
import { createEdgeMetrics } from './metrics.ts'
import { type EdgeOptions, resolveOptions } from './options.ts'
import { startPresenceReports } from './presence-reports.ts'
import { type RelayDeps, startRelay } from './relay.ts'
import { watchRevocations } from './revocation-watch.ts'
import { startShowings } from './showings.ts'

export interface EdgeDeps {
  broker: RelayDeps['broker'] & InterestDeps['broker'] & Pick<Broker, 'unavailableReason'>
  store: Pick<
    Store,
    | 'channels'
    | 'interest'
    | 'relays'
    | 'biographies'
    | 'presence'
    | 'revocations'
    | 'unavailableReason'
  >
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
  const { edgeId, relayPartitions, ...resolved } = resolveOptions(options)
  const sockets = new Set<EdgeSocket>()
  const metrics = createEdgeMetrics(deps.metrics, sockets)
  await using stack = new AsyncDisposableStack()

  const relay = stack.use(
    startRelay(
      { relayId: randomUUID(), partitions: relayPartitions },
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
  const showings = stack.use(startShowings({ edgeId }, { ...store, log, metrics }))
  stack.use(startPresenceReports({ edgeId }, { ...store, sockets, log }))
  const watch = stack.use(watchRevocations({ ...store, sockets, log }))
  const writers = stack.use(new FrameWriters(resolved.writers, { metrics }))
  const app = createHttpApp({}, deps)
  stack.defer(() => app.close())
  const verifyToken = createTokenVerifier(options.tokenSecret, options.tokenIssuer)
  const { revocations } = store
  const admission = createAdmission(resolved.admission, { verifyToken, revocations, watch })
  addGateway(app, resolved.gateway, {
    admission,
    channels,
    showings,
    writers,
    sockets,
    log,
    metrics,
  })

  readiness.add('rabbitmq', () => broker.unavailableReason())
  readiness.add('redis', () => store.unavailableReason())
  readiness.add('relay', () => relay.unavailableReason())

  const owned = stack.move()
  return { app, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

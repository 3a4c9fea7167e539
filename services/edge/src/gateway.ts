/**
 * The gateway: upgrades at `GET /v1/socket`, the sockets they became, and their farewell.
 *
 * Who may not open one is answered over HTTP, before the upgrade, with a problem document.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { LIMITS } from '@signalbox/contracts'
import { InvalidInputError, type Log } from '@signalbox/kit'
import type { FastifyInstance } from 'fastify'
import { WebSocketServer } from 'ws'
import type { Admission } from './admission.ts'
import type { ChannelRegistry } from './channel-registry.ts'
import { createConnection, type SharedByConnections } from './connection.ts'
import { EdgeSocket, type SharedBySockets } from './edge-socket.ts'
import type { FrameWriters } from './frame-writer.ts'
import { selectSubprotocol } from './handshake.ts'
import { startHeartbeat } from './heartbeat.ts'
import { CLOSE_TIMEOUT_MS, MAX_FRAGMENTS } from './limits.ts'
import type { EdgeMetrics } from './metrics.ts'
import { answerPlainly, refuse } from './refusal.ts'
import type { Seat } from './seats.ts'
import type { Showings } from './showings.ts'
import type { Rate } from './token-bucket.ts'

const PATH = '/v1/socket'

export interface GatewayOptions {
  maxSubscriptions: number
  /** Of frames from one client. */
  frames: Rate
  /** How long a socket may be without a subscription and say nothing; 0: for ever. */
  maxIdleMs: number
}

export interface GatewayDeps {
  admission: Admission
  channels: Pick<ChannelRegistry, 'hold'>
  showings: Pick<Showings, 'note'>
  writers: FrameWriters
  /** Open sockets; the gateway keeps it, others read it. */
  sockets: Set<EdgeSocket>
  log: Log
  metrics: EdgeMetrics
}

/** Takes the upgrades of `app`'s server; closing the app closes the sockets with 1001. */
export function addGateway(
  app: FastifyInstance,
  { maxSubscriptions, frames, maxIdleMs }: GatewayOptions,
  { admission, channels, showings, writers, sockets, log, metrics }: GatewayDeps,
): void {
  // n.b. the types do not know `closeTimeout` yet; ws does.
  const settings = {
    noServer: true,
    clientTracking: false,
    WebSocket: EdgeSocket,
    maxPayload: LIMITS.maxSocketFrameBytes,
    maxFragments: MAX_FRAGMENTS,
    closeTimeout: CLOSE_TIMEOUT_MS,
    handleProtocols: selectSubprotocol,
  }
  const server = new WebSocketServer(settings)
  const heartbeat = startHeartbeat({ maxIdleMs }, sockets)

  app.get(PATH, { schema: { hide: true } as object }, () => {
    throw new InvalidInputError('open this address as a WebSocket')
  })
  app.server.on('upgrade', (request, stream, head) => {
    if (!asksForSocket(request)) answerPlainly(app, request, stream)
    else void upgrade(request, stream, head)
  })
  app.addHook('preClose', async () => {
    admission.close()
    heartbeat.stop()
    const open = [...sockets]
    const gone = open.map((socket) => new Promise((resolve) => socket.once('close', resolve)))
    for (const { connection } of open) connection.close('goingAway')
    await Promise.all(gone)
  })

  async function upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
    // n.b. until ws has the stream, its errors would be nobody's: an unheard one ends the process.
    const onError = () => stream.destroy()
    stream.on('error', onError)
    let seat: Seat | undefined
    try {
      seat = await admission.admit(request)
    } catch (error) {
      return refuseUpgrade(request, stream, error)
    }
    stream.off('error', onError)
    let isOpen = false
    server.handleUpgrade(request, stream, head, (socket) => {
      isOpen = true
      open(socket, stream, seat)
    })
    // n.b. ws has answered what is wrong with the handshake itself, and calls back in the same turn or never.
    if (!isOpen) seat.release()
  }

  function refuseUpgrade(request: IncomingMessage, stream: Duplex, error: unknown): void {
    const code = refuse(request, stream, error)
    metrics.refusals.inc({ code })
    log[code === 'SB_INTERNAL' ? 'error' : 'debug']({ err: error, code }, 'socket.refused')
  }

  const sharedByConnections: SharedByConnections = {
    maxSubscriptions,
    frames,
    channels,
    showings,
    claimsOf: admission.claimsOf,
    log,
    metrics,
  }
  const shared: SharedBySockets = {
    metrics,
    onGone(socket, code) {
      sockets.delete(socket)
      const accountKey = socket.connection.claims.account_key
      log.debug({ accountKey, code }, 'socket.closed')
    },
  }

  function open(socket: EdgeSocket, stream: Duplex, seat: Seat): void {
    const writer = writers.open(stream)
    const connection = createConnection(
      { claims: seat.claims, socket, writer },
      sharedByConnections,
    )
    socket.attach({ writer, connection, seat, shared })
    sockets.add(socket)
    heartbeat.begin(socket)
  }
}

function asksForSocket({ url = '', headers, method }: IncomingMessage): boolean {
  return (
    method === 'GET' &&
    headers.upgrade?.toLowerCase() === 'websocket' &&
    (url === PATH || url.startsWith(`${PATH}?`))
  )
}

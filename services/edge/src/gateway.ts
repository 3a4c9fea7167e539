/**
 * The gateway: `GET /v1/socket`, the sockets it opened, and what is common to their lives: pings, the end of a token, the farewell.
 *
 * A client without a valid token is answered over HTTP, before the upgrade, with a problem document.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { LIMITS, type TokenClaims } from '@signalbox/contracts'
import { InvalidInputError, type Log, type TokenVerifier, UnavailableError } from '@signalbox/kit'
import type { FastifyInstance } from 'fastify'
import { WebSocketServer } from 'ws'
import type { ChannelRegistry } from './channel-registry.ts'
import { createConnection } from './connection.ts'
import { EdgeSocket } from './edge-socket.ts'
import type { FrameWriters } from './frame-writer.ts'
import { handshakeOf, selectSubprotocol, tokenOf } from './handshake.ts'
import { startHeartbeat } from './heartbeat.ts'
import { CLOSE_TIMEOUT_MS, MAX_FRAGMENTS } from './limits.ts'
import type { EdgeMetrics } from './metrics.ts'
import { answerPlainly, refuse } from './refusal.ts'

const PATH = '/v1/socket'

export interface GatewayOptions {
  maxConnections: number
  maxSubscriptions: number
}

export interface GatewayDeps {
  verifyToken: TokenVerifier
  channels: Pick<ChannelRegistry, 'hold'>
  writers: FrameWriters
  /** Open sockets; the gateway keeps it, metrics read it. */
  sockets: Set<EdgeSocket>
  log: Log
  metrics: EdgeMetrics
}

/** Takes the upgrades of `app`'s server; closing the app closes the sockets with 1001. */
export function addGateway(
  app: FastifyInstance,
  { maxConnections, maxSubscriptions }: GatewayOptions,
  { verifyToken, channels, writers, sockets, log, metrics }: GatewayDeps,
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
  const heartbeat = startHeartbeat(sockets)
  let isClosing = false

  app.get(PATH, { schema: { hide: true } as object }, () => {
    throw new InvalidInputError('open this address as a WebSocket')
  })
  app.server.on('upgrade', (request, stream, head) => {
    if (!asksForSocket(request)) answerPlainly(app, request, stream)
    else void upgrade(request, stream, head)
  })
  app.addHook('preClose', async () => {
    isClosing = true
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
    try {
      const claims = await verifyToken(tokenOf(handshakeOf(request)))
      if (isClosing) throw new UnavailableError('this edge is shutting down')
      if (sockets.size >= maxConnections) {
        throw new UnavailableError('this edge holds as many connections as it may')
      }
      stream.off('error', onError)
      server.handleUpgrade(request, stream, head, (socket) => open(socket, stream, claims))
    } catch (error) {
      refuse(request, stream, error)
    }
  }

  function open(socket: EdgeSocket, stream: Duplex, claims: TokenClaims): void {
    const connection = createConnection(
      { claims, maxSubscriptions },
      { socket, channels, log, metrics },
    )
    socket.attach(writers.open(stream, socket), connection)
    sockets.add(socket)
    heartbeat.begin(socket)
    socket.once('close', (code) => {
      sockets.delete(socket)
      connection.end()
      log.debug({ accountKey: claims.account_key, code }, 'socket.closed')
    })
  }
}

function asksForSocket({ url = '', headers, method }: IncomingMessage): boolean {
  return (
    method === 'GET' &&
    headers.upgrade?.toLowerCase() === 'websocket' &&
    (url === PATH || url.startsWith(`${PATH}?`))
  )
}

/**
 * The gateway: `GET /v1/socket`, the sockets it opened, and what is common to their lives: pings, the end of a token, the farewell.
 *
 * A client without a valid token is answered over HTTP, before the upgrade, with a problem document.
 */
import websocket, { type WebSocket } from '@fastify/websocket'
import { LIMITS, type TokenClaims } from '@signalbox/contracts'
import { InvalidInputError, type Log, type TokenVerifier, UnavailableError } from '@signalbox/kit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ChannelRegistry } from './channel-registry.ts'
import { CLOSE_CODES } from './close-codes.ts'
import { type ClientSocket, type Connection, createConnection } from './connection.ts'
import { selectSubprotocol, tokenOf } from './handshake.ts'
import { CLOSE_TIMEOUT_MS, PING_INTERVAL_MS } from './limits.ts'
import type { EdgeMetrics } from './metrics.ts'

/** The longest that a timer can be set for; a longer wait is made of several. */
const MAX_TIMER_MS = 2 ** 31 - 1

export interface GatewayOptions {
  maxConnections: number
  maxSubscriptions: number
}

export interface GatewayDeps {
  verifyToken: TokenVerifier
  channels: Pick<ChannelRegistry, 'hold'>
  /** Open sockets; the gateway keeps it, metrics read it. */
  connections: Map<WebSocket, Connection>
  log: Log
  metrics: EdgeMetrics
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Of the verified token. */
    claims: TokenClaims | null
  }
}

/** Adds the route to `app`; closing the app closes the sockets with 1001. */
export async function addGateway(
  app: FastifyInstance,
  { maxConnections, maxSubscriptions }: GatewayOptions,
  { verifyToken, channels, connections, log, metrics }: GatewayDeps,
): Promise<void> {
  const unanswered = new WeakSet<WebSocket>()
  const heartbeat = setInterval(() => {
    for (const socket of connections.keys()) beat(socket)
  }, PING_INTERVAL_MS)
  let isClosing = false

  await app.register(websocket, {
    options: { maxPayload: LIMITS.maxSocketFrameBytes, handleProtocols: selectSubprotocol },
    errorHandler(error, socket) {
      // n.b. ws has answered a client's breach of its protocol by closing already.
      log.debug({ err: error }, 'socket.error')
      const { code, reason } = CLOSE_CODES.internal
      if (!connections.has(socket)) socket.close(code, reason)
    },
    async preClose() {
      isClosing = true
      clearInterval(heartbeat)
      const sockets = [...connections.keys()]
      const gone = sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve)))
      for (const connection of connections.values()) connection.close('goingAway')
      await Promise.all(gone)
      app.websocketServer.close()
    },
  })
  app.decorateRequest('claims', null)
  app.route({
    method: 'GET',
    url: '/v1/socket',
    async onRequest(request) {
      if (!request.ws) throw new InvalidInputError('open this address as a WebSocket')
      request.claims = await verifyToken(tokenOf(request))
    },
    // n.b. with a callback, the upgrade follows in the same turn: nobody slips in between the count and the connection.
    preHandler(_request, _reply, done) {
      if (isClosing) done(new UnavailableError('this edge is shutting down'))
      else if (connections.size < maxConnections) done()
      else done(new UnavailableError('this edge holds as many connections as it may'))
    },
    handler: () => undefined,
    wsHandler: open,
  })

  function open(socket: WebSocket, { claims }: FastifyRequest): void {
    if (!claims) throw new Error('a socket was opened without a verified token')
    const openedAtMs = Date.now()
    const connection = createConnection(
      { claims, maxSubscriptions },
      { socket: closingInTime(socket), channels, log, metrics },
    )
    connections.set(socket, connection)
    const cancelExpiry = at(claims.exp * 1_000, () => connection.close('tokenExpired'))

    socket.on('message', (data, isBinary) =>
      connection.receive(isBinary ? undefined : String(data)),
    )
    socket.on('pong', () => unanswered.delete(socket))
    socket.once('close', (code) => {
      cancelExpiry()
      connections.delete(socket)
      connection.end()
      const durationMs = Date.now() - openedAtMs
      log.debug({ accountKey: claims.account_key, code, durationMs }, 'socket.closed')
    })
  }

  /** n.b. what a socket that is not being read has answered cannot be known. */
  function beat(socket: WebSocket): void {
    if (unanswered.has(socket) && !socket.isPaused) {
      socket.terminate()
    } else {
      unanswered.add(socket)
      socket.ping()
    }
  }
}

/** Closing asks the client to close too; one that does not is cut off. */
function closingInTime(socket: WebSocket): ClientSocket {
  return {
    get bufferedAmount() {
      return socket.bufferedAmount
    },
    send: (text) => socket.send(text),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close(code, reason) {
      socket.close(code, reason)
      const cutOff = setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS)
      socket.once('close', () => clearTimeout(cutOff))
    },
  }
}

/** Calls back at a time (Unix milliseconds), at once when it is past. The answer cancels. */
function at(timeMs: number, callback: () => void): () => void {
  let timer: NodeJS.Timeout
  const wait = () => {
    const restMs = timeMs - Date.now()
    timer = restMs > 0 ? setTimeout(wait, Math.min(restMs, MAX_TIMER_MS)) : setTimeout(callback)
  }
  wait()
  return () => clearTimeout(timer)
}

/**
 * What comes to every socket with time: pings, the end of its token, the end of patience with one that asks for nothing. One timer for
 * all of them.
 *
 * Pings are spread: a socket's *turn* comes once in `PING_INTERVAL_MS`, in the second in which it was opened.
 */
import { PING_INTERVAL_MS } from './limits.ts'

const TICK_MS = 1_000
const TURNS = PING_INTERVAL_MS / TICK_MS

/** What the heartbeat asks of a socket. */
export interface BeatenSocket {
  /** A ping was sent and not answered yet. */
  isUnanswered: boolean
  readonly isPaused: boolean
  pingTurn: number
  ping(): void
  terminate(): void
  readonly connection: {
    readonly claims: { readonly exp: number }
    isIdleSince(timeMs: number): boolean
    close(why: 'tokenExpired' | 'idle'): void
  }
}

export interface HeartbeatOptions {
  /** How long a socket may be without a subscription and say nothing; 0: for ever. */
  maxIdleMs: number
}

export interface Heartbeat {
  /** Gives the socket its turn. */
  begin(socket: BeatenSocket): void
  stop(): void
}

export function startHeartbeat(
  { maxIdleMs }: HeartbeatOptions,
  sockets: Iterable<BeatenSocket>,
): Heartbeat {
  let turn = 0

  const timer = setInterval(() => {
    turn = (turn + 1) % TURNS
    const nowMs = Date.now()
    const idleSinceMs = performance.now() - maxIdleMs
    for (const socket of sockets) {
      endInTime(socket, nowMs)
      if (maxIdleMs > 0 && socket.connection.isIdleSince(idleSinceMs)) {
        socket.connection.close('idle')
      }
      if (socket.pingTurn === turn) beat(socket)
    }
  }, TICK_MS)

  return {
    begin(socket) {
      socket.pingTurn = turn
      endInTime(socket, Date.now())
    },
    stop: () => clearInterval(timer),
  }
}

function endInTime({ connection }: BeatenSocket, nowMs: number): void {
  if (connection.claims.exp * 1_000 <= nowMs) connection.close('tokenExpired')
}

/** n.b. what a socket that is not being read has answered cannot be known. */
function beat(socket: BeatenSocket): void {
  if (socket.isUnanswered && !socket.isPaused) {
    socket.terminate()
  } else {
    socket.isUnanswered = true
    socket.ping()
  }
}

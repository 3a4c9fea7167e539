/**
 * What comes to every socket with time: pings, the end of its token. One timer for all of them.
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
  readonly connection: { readonly expiresAtMs: number; close(why: 'tokenExpired'): void }
}

export interface Heartbeat {
  /** Gives the socket its turn. */
  begin(socket: BeatenSocket): void
  stop(): void
}

export function startHeartbeat(sockets: Iterable<BeatenSocket>): Heartbeat {
  let turn = 0

  const timer = setInterval(() => {
    turn = (turn + 1) % TURNS
    const nowMs = Date.now()
    for (const socket of sockets) {
      endInTime(socket, nowMs)
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
  if (connection.expiresAtMs <= nowMs) connection.close('tokenExpired')
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

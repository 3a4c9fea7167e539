/** A bare WebSocket client: what arrives, as it arrives, with nothing of a protocol above it. */

import { waitFor } from '@signalbox/private-brokers'
import { WebSocket } from 'ws'

const HANDSHAKE_TIMEOUT_MS = 10_000
const NEXT_TIMEOUT_MS = 10_000
const NEXT_INTERVAL_MS = 2

export interface SocketOptions {
  protocols?: readonly string[]
  headers?: Readonly<Record<string, string>>
}

export interface SocketClose {
  code: number
  reason: string
}

/** Disposing cuts the connection when it is still open. */
export interface TestSocket extends AsyncDisposable {
  /** The subprotocol that the server chose; empty: none. */
  readonly protocol: string
  /** Frames that have arrived and were not taken with `next`. */
  readonly pending: readonly string[]
  /** The oldest frame not taken yet. Throws after `timeoutMs` (default 10,000), or when the socket closes first. */
  next(options?: { timeoutMs?: number }): Promise<string>
  /** An object is sent as JSON, a string as it is. */
  send(frame: object | string): void
  /** Resolves when the connection has ended, however that came about; never rejects. */
  readonly closed: Promise<SocketClose>
  /** The closing handshake; resolves when it is done. */
  close(code?: number, reason?: string): Promise<SocketClose>
  /** Stops reading from the connection, as a client that cannot keep up, until `resume`. */
  pause(): void
  resume(): void
}

/** Resolves when the connection is open. Throws with the status and the body when the server refuses it. */
export async function openSocket(url: string, options: SocketOptions = {}): Promise<TestSocket> {
  const socket = new WebSocket(url, [...(options.protocols ?? [])], {
    headers: { ...options.headers },
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  })
  const pending: string[] = []
  let ending: SocketClose | undefined
  const closed = new Promise<SocketClose>((resolve) =>
    socket.once('close', (code, reason) => {
      ending = { code, reason: reason.toString() }
      resolve(ending)
    }),
  )
  socket.on('message', (data) => pending.push(data.toString()))
  await opened(socket, url)

  async function next({ timeoutMs = NEXT_TIMEOUT_MS } = {}): Promise<string> {
    const outcome = await waitFor(
      () => (pending.length > 0 ? { frame: pending.shift() ?? '' } : ending),
      { what: `a frame from ${addressOf(url)}`, timeoutMs, intervalMs: NEXT_INTERVAL_MS },
    )
    if ('frame' in outcome) return outcome.frame
    throw new Error(`the socket closed (${outcome.code} ${outcome.reason}) before a frame came`)
  }

  return {
    protocol: socket.protocol,
    pending,
    next,
    send: (frame) => socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame)),
    closed,
    async close(code = 1000, reason = '') {
      socket.close(code, reason)
      return closed
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    async [Symbol.asyncDispose]() {
      socket.terminate()
      await closed
    },
  }
}

function opened(socket: WebSocket, url: string): Promise<void> {
  const address = addressOf(url)
  return new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.on('error', (error) => reject(new Error(`${address}: ${error.message}`)))
    socket.once('unexpected-response', (request, response) => {
      let body = ''
      response.on('data', (chunk) => {
        body += chunk
      })
      response.on('close', () => {
        request.destroy()
        reject(new Error(`${address} refused the socket: ${response.statusCode} ${body}`))
      })
    })
  })
}

/** Without the query: it may carry a token. */
function addressOf(url: string): string {
  return url.split('?')[0] ?? ''
}

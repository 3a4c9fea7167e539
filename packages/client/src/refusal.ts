/**
 * What an edge says when it refuses a socket: a status, and how long to stay away.
 *
 * A browser shows neither. Node's own WebSocket does not either, but it tells its diagnostics channel; that of `ws` has an event.
 */
import type { WebSocketLike } from './link.ts'

export interface Refusal {
  status: number
  retryAfterMs?: number | undefined
}

interface Headers {
  request: { origin?: unknown; path?: unknown; headers?: unknown }
  response: { statusCode: number; headers: readonly unknown[] }
}

interface DiagnosticsChannel {
  subscribe(name: string, listener: (message: Headers) => void): void
  unsubscribe(name: string, listener: (message: Headers) => void): void
}

const HEADERS_CHANNEL = 'undici:request:headers'
const SWITCHING_PROTOCOLS = 101

/**
 * Watches the handshake of a socket that is about to be opened by the platform's WebSocket: `token` tells it from others. The answer
 * ends the watch.
 */
export function watchHandshake(token: string, onRefusal: (refusal: Refusal) => void): () => void {
  const platform = (
    globalThis as { process?: { getBuiltinModule?: (name: string) => DiagnosticsChannel } }
  ).process
  const diagnostics = platform?.getBuiltinModule?.('node:diagnostics_channel')
  if (!diagnostics) return () => undefined
  const listener = ({ request, response }: Headers) => {
    const { statusCode, headers } = response
    if (statusCode === SWITCHING_PROTOCOLS || !String(request.headers).includes(`bearer.${token}`))
      return
    const texts = headers.map((text) => String(text))
    const name = texts.findIndex((text, n) => n % 2 === 0 && text.toLowerCase() === 'retry-after')
    onRefusal(refusalOf(statusCode, name < 0 ? undefined : texts[name + 1]))
  }
  diagnostics.subscribe(HEADERS_CHANNEL, listener)
  return () => diagnostics.unsubscribe(HEADERS_CHANNEL, listener)
}

interface Emitter {
  on(
    event: 'unexpected-response',
    listener: (
      request: { destroy(): void },
      response: { statusCode: number; headers: Record<string, string | undefined> },
    ) => void,
  ): void
}

/** Of a socket of `ws`; others have no such event. */
export function onUnexpectedResponse(
  socket: WebSocketLike,
  onRefusal: (refusal: Refusal) => void,
): void {
  if (!('on' in socket) || typeof socket.on !== 'function') return
  ;(socket as unknown as Emitter).on('unexpected-response', (request, response) => {
    request.destroy()
    onRefusal(refusalOf(response.statusCode, response.headers['retry-after']))
  })
}

/** `Retry-After` is seconds or a date. */
function refusalOf(status: number, retryAfter: string | undefined): Refusal {
  if (retryAfter === undefined) return { status }
  const seconds = Number(retryAfter)
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(retryAfter) - Date.now()
  return ms >= 0 ? { status, retryAfterMs: ms } : { status }
}

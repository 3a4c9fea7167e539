/** A bare WebSocket client for checks: every frame as it came, every refusal with its status. */
import { UnavailableError } from '@signalbox/kit'
import { waitFor } from '@signalbox/private-brokers'
import { WebSocket } from 'ws'
import { Violation } from '../rule.ts'

const POLL_MS = 2

export interface Opening {
  query?: string
  protocols?: readonly string[]
  headers?: Readonly<Record<string, string>>
}

export interface Refusal {
  status: number
  body: string
}

export interface Ending {
  code: number
  reason: string
}

/** Disposing cuts it. */
export interface BareSocket extends AsyncDisposable {
  readonly protocol: string
  /** Frames that were not taken yet. */
  readonly pending: readonly string[]
  /** A string is sent as it is, an object as JSON. */
  send(frame: string | object): void
  /** `binary` false: as text, whatever it holds. */
  sendBytes(bytes: Uint8Array, options: { binary: boolean }): void
  /** Takes the oldest frame. Throws `Violation` when none comes in time, or the edge closes. */
  next(): Promise<string>
  /** Sends, and takes the next frame. */
  ask(frame: string | object): Promise<string>
  /** Throws `Violation` when it does not end in time. */
  ended(): Promise<Ending>
  pause(): void
  resume(): void
}

/** Throws `UnavailableError` when nothing answers at the address. */
export async function openBareSocket(
  url: string,
  { query = '', protocols = [], headers = {} }: Opening,
  timeoutMs: number,
): Promise<BareSocket | Refusal> {
  const socket = new WebSocket(`${url}${query}`, [...protocols], {
    headers: { ...headers },
    handshakeTimeout: timeoutMs,
    perMessageDeflate: false,
  })
  const pending: string[] = []
  let ending: Ending | undefined
  socket.on('message', (data, isBinary) => pending.push(isBinary ? '(binary)' : String(data)))
  socket.on('close', (code, reason) => {
    ending = { code, reason: String(reason) }
  })
  const refusal = await new Promise<Refusal | undefined>((resolve, reject) => {
    socket.on('error', (cause) => reject(new UnavailableError(`no edge at ${url}`, { cause })))
    socket.once('open', () => resolve(undefined))
    socket.once('unexpected-response', (request, response) => {
      let body = ''
      response.on('data', (chunk) => {
        body += chunk
      })
      response.once('end', () => {
        request.destroy()
        resolve({ status: response.statusCode ?? 0, body })
      })
    })
  })
  if (refusal) return refusal

  async function next(): Promise<string> {
    await waitFor(() => pending.length > 0 || ending, {
      what: 'a frame',
      timeoutMs,
      intervalMs: POLL_MS,
    }).catch(() => {
      throw new Violation(`no frame came within ${timeoutMs} ms`)
    })
    const frame = pending.shift()
    if (frame !== undefined) return frame
    throw new Violation(`the edge closed the socket: ${ending?.code} ${ending?.reason}`)
  }
  const send = (frame: string | object) =>
    socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame))
  return {
    protocol: socket.protocol,
    pending,
    send,
    sendBytes: (bytes, { binary }) => socket.send(bytes, { binary }),
    next,
    async ask(frame) {
      send(frame)
      return next()
    },
    async ended() {
      await waitFor(() => ending, { what: 'the end', timeoutMs, intervalMs: POLL_MS }).catch(() => {
        throw new Violation(`the edge did not close the socket within ${timeoutMs} ms`)
      })
      return ending!
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    async [Symbol.asyncDispose]() {
      socket.terminate()
      await waitFor(() => ending, { what: 'the end of a socket' })
    },
  }
}

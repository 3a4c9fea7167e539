/** A WebSocket whose other end is the test. */
import type { SocketEvent, WebSocketLike } from '../src/index.ts'

export interface Request {
  action: string
  request_id: number
  data: Record<string, unknown>
}

export class FakeSocket implements WebSocketLike {
  readonly url: string
  readonly protocols: string[]
  readonly sent: Request[] = []
  closedBy: { code?: number | undefined } | undefined
  readonly #listeners = new Map<string, (event: SocketEvent) => void>()
  #taken = 0

  constructor(url: string, protocols: string[]) {
    this.url = url
    this.protocols = protocols
  }

  addEventListener(type: string, listener: (event: SocketEvent) => void): void {
    this.#listeners.set(type, listener)
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text) as Request)
  }
  close(code?: number): void {
    this.closedBy ??= { code }
  }

  open(): void {
    this.emit({ type: 'open' })
  }
  /** What the edge sends. */
  frame(content: object | string): void {
    const data = typeof content === 'string' ? content : JSON.stringify(content)
    this.emit({ type: 'message', data })
  }
  /** The oldest request not taken yet. */
  take(): Request {
    const request = this.sent[this.#taken++]
    if (!request) throw new Error('nothing more was asked')
    return request
  }
  get untaken(): number {
    return this.sent.length - this.#taken
  }
  /** Takes a request and answers it. */
  answer(fields: object = {}): Request {
    const request = this.take()
    this.frame({ request_id: request.request_id, errors: [], status: 200, ...fields })
    return request
  }
  refuse(status: number, code: string, path?: string): Request {
    return this.answer({ status, errors: [{ code, message: `it is ${code}`, path }] })
  }
  end(code = 1006, reason = ''): void {
    this.emit({ type: 'close', code, reason })
  }
  emit(event: SocketEvent): void {
    this.#listeners.get(event.type)?.(event)
  }
}

/** The constructor to inject, and the sockets it made, oldest first. */
export function fakeSockets<Socket extends FakeSocket = FakeSocket>(
  Base: new (url: string, protocols: string[]) => Socket = FakeSocket as never,
) {
  const sockets: Socket[] = []
  const Parent = Base as new (url: string, protocols: string[]) => FakeSocket
  class Recorded extends Parent {
    constructor(url: string, protocols: string[]) {
      super(url, protocols)
      sockets.push(this as unknown as Socket)
    }
  }
  return { sockets, webSocket: Recorded }
}

/** A JWT whose signature nobody checks. */
export function tokenOf(claims: { exp?: number; iat?: number; n?: number }): string {
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url')
  return `${part({ alg: 'HS256' })}.${part(claims)}.signature`
}

/** Valid for so long from now on. */
export function freshToken(seconds: number, n = 0): string {
  const now = Math.floor(Date.now() / 1_000)
  return tokenOf({ iat: now, exp: now + seconds, n })
}

/** undici's pool for one origin, whose requests know the connection that they travel on. */
import { type buildConnector, Client, type Dispatcher, Pool } from 'undici'

const MAX_RESPONSE_HEADER_BYTES = 16 * 1024

/** One connection, as its requests see it. */
export interface Connection {
  /** The IP address at the other end. */
  readonly address: string
  /** Answers that came over it. */
  answers: number
}

/** What a request is told of the client that sends it. */
export interface OnClient {
  client: { readonly connection: Connection | undefined } | undefined
}

export interface OriginPoolOptions {
  connectionsPerOrigin: number
  /** A connection without a request is closed after this, or earlier when its server said so. */
  keepAliveMs: number
}

/** A pool of HTTP/1.1 connections without pipelining. */
export function openOriginPool(
  origin: string,
  { connectionsPerOrigin, keepAliveMs }: OriginPoolOptions,
  connect: buildConnector.connector,
): Pool {
  return new Pool(origin, {
    connections: connectionsPerOrigin,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
    // n.b. a request has one deadline, its own; those of the client would be checked beside it.
    headersTimeout: 0,
    bodyTimeout: 0,
    factory: (url, options) => new KnownClient(url, options, connect),
  })
}

/** Knows which connection it has, and tells its requests. */
class KnownClient extends Client {
  connection: Connection | undefined

  constructor(origin: URL, options: Client.Options, connect: buildConnector.connector) {
    super(origin, {
      ...options,
      connect: (target, callback) => {
        this.connection = undefined
        connect(target, (...[error, socket]) => {
          if (error) return callback(error, null)
          this.connection = { address: socket.remoteAddress ?? '', answers: 0 }
          callback(null, socket)
        })
      },
    })
  }

  override dispatch(
    request: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler & Partial<OnClient>,
  ): boolean {
    handler.client = this
    return super.dispatch(request, handler)
  }
}

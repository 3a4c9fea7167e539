/**
 * The connection to RabbitMQ, and its coming back.
 *
 * A *session* is one connection from its opening to its loss. amqplib reconnects by itself; `setUp` runs on each new connection
 * before anybody may use it, and when it fails the connection counts as failed. What is down is logged when it begins and when its reason
 * changes, and the return says how many attempts it took: an outage writes a handful of lines, however long it lasts.
 */
import type { Writable } from 'node:stream'
import { setImmediate as laterTurn } from 'node:timers/promises'
import { ConfigError, gatherWrites, type Log, maskUrl, UnavailableError } from '@signalbox/kit'
import { type ChannelModel, connect, type RecoveringChannelModel } from 'amqplib'
import { atMost } from './at-most.ts'

/** A broker that is back is noticed within this, plus the time of connecting. */
const MAX_RECONNECT_DELAY_MS = 2_000
const INITIAL_RECONNECT_DELAY_MS = 100
/** TCP, TLS and the AMQP handshake; beyond it the address counts as unreachable. */
const CONNECT_TIMEOUT_MS = 10_000
/** Two of them without a sign of life end a connection. */
const HEARTBEAT_SECONDS = 10
const CLOSE_TIMEOUT_MS = 3_000

export interface AmqpSession {
  readonly model: ChannelModel
  /** Aborted when the connection is lost. */
  readonly lost: AbortSignal
}

export interface ConnectionOptions {
  url: string
  /** As the broker's own tools show it. */
  name: string
}

export interface ConnectionDeps {
  log: Log
  setUp(model: ChannelModel): Promise<void>
}

export interface ConnectionListener {
  onOpen?(session: AmqpSession): void
  onUnblocked?(): void
}

export class AmqpConnection {
  readonly #url: string
  readonly #name: string
  /** As logs call it. */
  readonly #identity: { connection: string; broker: string }
  readonly #log: Log
  readonly #setUp: ConnectionDeps['setUp']
  readonly #listeners = new Set<ConnectionListener>()
  readonly #closing = new AbortController()
  #recovering: RecoveringChannelModel | undefined
  /** Set up, and not announced yet. */
  #candidate: AmqpSession | undefined
  #session: AmqpSession | undefined
  #blocked: { reason: string; sinceMs: number } | undefined
  #hasBeenOpen = false
  #down = { reason: 'not connected yet', sinceMs: Date.now(), attempts: 0 }

  /** Throws `ConfigError` on a URL that is none of AMQP's. */
  constructor({ url, name }: ConnectionOptions, { log, setUp }: ConnectionDeps) {
    this.#url = withHeartbeat(url)
    this.#name = name
    this.#identity = { connection: name, broker: maskUrl(url) }
    this.#log = log
    this.#setUp = setUp
  }

  /** Begins to connect; resolves at once. */
  async open(): Promise<void> {
    const recovering = await connect(this.#url, {
      noDelay: true,
      timeout: CONNECT_TIMEOUT_MS,
      clientProperties: { connection_name: this.#name, product: 'signalbox' },
      recovery: {
        setup: (model: ChannelModel) => this.#prepare(model),
        waitForConnect: false,
        initialDelay: INITIAL_RECONNECT_DELAY_MS,
        maxDelay: MAX_RECONNECT_DELAY_MS,
      },
    })
    recovering.on('connect', () => this.#opened())
    recovering.on('connect-failed', (error) => this.#failed(reasonOf(error)))
    recovering.on('blocked', (reason) => this.#onBlocked(reason))
    recovering.on('unblocked', () => this.#onUnblocked())
    recovering.on('error', (error) => this.#log.debug({ err: error }, 'connection.error'))
    this.#recovering = recovering
  }

  get session(): AmqpSession | undefined {
    return this.#session
  }

  /** It has neither been open nor failed to open. */
  get isNew(): boolean {
    return !this.#hasBeenOpen && this.#down.attempts === 0
  }

  isBlocked(): boolean {
    return this.#blocked !== undefined
  }

  unavailableReason(): string | undefined {
    const { broker } = this.#identity
    if (!this.#session) return `${broker} is not connected: ${this.#down.reason}`
    if (this.#blocked) return `${broker} blocks publishers: ${this.#blocked.reason}`
    return undefined
  }

  /** Told of every session, the present one included. Returns what ends it. */
  listen(listener: ConnectionListener): () => void {
    this.#listeners.add(listener)
    if (this.#session) listener.onOpen?.(this.#session)
    return () => this.#listeners.delete(listener)
  }

  /** The present session or the next. Rejects with `UnavailableError` when the connection is closed first. */
  async nextSession(): Promise<AmqpSession> {
    const { promise, resolve, reject } = Promise.withResolvers<AmqpSession>()
    const { signal } = this.#closing
    const closed = (): void =>
      reject(new UnavailableError('the broker was closed', { code: 'SB_BROKER_UNAVAILABLE' }))
    if (signal.aborted) closed()
    signal.addEventListener('abort', closed)
    const stopListening = this.listen({ onOpen: resolve })
    try {
      return await promise
    } finally {
      stopListening()
      signal.removeEventListener('abort', closed)
    }
  }

  /** Idempotent; gives up politeness after three seconds. */
  async close(): Promise<void> {
    this.#closing.abort()
    if (this.#recovering) await atMost(this.#recovering.close(), CLOSE_TIMEOUT_MS)
  }

  /**
   * n.b. amqplib looks at a connection's end only after this has resolved, and what the broker sent in one piece with the last
   * answer was handled before that: an end in between would go unseen. A later turn of the event loop, and a look, close the gap.
   */
  async #prepare(model: ChannelModel): Promise<void> {
    const lost = new AbortController()
    let reason = 'the connection was closed'
    model.on('error', (error) => {
      reason = reasonOf(error)
    })
    model.on('close', (error) => {
      if (error) reason = reasonOf(error)
      lost.abort()
      if (this.#session?.model === model) this.#lost(reason)
    })
    try {
      gatherFrames(model)
      await this.#setUp(model)
      await laterTurn()
      if (lost.signal.aborted) throw new Error(reason)
      this.#candidate = { model, lost: lost.signal }
    } catch (error) {
      // n.b. amqplib waits for ever for a close whose connection dies meanwhile; a second close it refuses at once.
      await atMost(model.close(), CLOSE_TIMEOUT_MS, lost.signal)
      throw error
    }
  }

  #opened(): void {
    const session = this.#candidate
    if (!session) return
    this.#session = session
    this.#candidate = undefined
    const { attempts, sinceMs } = this.#down
    const facts = { ...this.#identity, attempts: attempts + 1, durationMs: Date.now() - sinceMs }
    this.#log.info(facts, this.#hasBeenOpen ? 'connection.restored' : 'connection.opened')
    this.#hasBeenOpen = true
    for (const listener of [...this.#listeners]) listener.onOpen?.(session)
  }

  #lost(reason: string): void {
    this.#session = undefined
    this.#blocked = undefined
    this.#down = { reason, sinceMs: Date.now(), attempts: 0 }
    if (this.#closing.signal.aborted) return
    this.#log.warn({ ...this.#identity, reason }, 'connection.lost')
  }

  #failed(reason: string): void {
    this.#down.attempts += 1
    if (this.#down.reason === reason) return
    this.#down.reason = reason
    this.#log.warn({ ...this.#identity, reason }, 'connection.failed')
  }

  #onBlocked(reason: string): void {
    this.#blocked = { reason, sinceMs: Date.now() }
    this.#log.warn({ ...this.#identity, reason }, 'connection.blocked')
  }

  #onUnblocked(): void {
    const durationMs = Date.now() - (this.#blocked?.sinceMs ?? Date.now())
    this.#blocked = undefined
    this.#log.info({ ...this.#identity, durationMs }, 'connection.unblocked')
    for (const listener of [...this.#listeners]) listener.onUnblocked?.()
  }
}

/** amqplib writes each frame by itself. Its types do not tell of the socket; without it nothing is gathered. */
function gatherFrames({ connection }: ChannelModel): void {
  const { stream } = connection as { stream?: Writable }
  if (!stream) return
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
  stream.write = (...args: unknown[]) => {
    gatherWrites(stream)
    return write(...args)
  }
}

/** An error of several addresses (`localhost`) has no message of its own. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  return error instanceof Error && error.message !== '' ? error.message : String(error)
}

function withHeartbeat(url: string): string {
  const parsed = URL.parse(url)
  if (!parsed || !/^amqps?:$/.test(parsed.protocol)) {
    throw new ConfigError(`the broker's URL must be amqp:// or amqps://, not ${maskUrl(url)}`)
  }
  if (!parsed.searchParams.has('heartbeat')) {
    parsed.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS))
  }
  return parsed.toString()
}

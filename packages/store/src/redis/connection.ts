/**
 * A connection to Redis that comes back by itself, and on which nothing hangs.
 *
 * - While it is lost, a command waits for it until the command timeout has passed since the loss; later ones are rejected at once.
 * - A command that was sent and not answered when the connection broke is rejected, never sent again: it may have been executed.
 * - A Redis that refuses to write (its memory is full, it became a replica) is unavailable until it takes a write again.
 * - A heartbeat notices a Redis that is connected but does not answer, and a handshake that goes nowhere; both are cut and begun anew.
 */
import { backoffDelayMs, gatherWrites } from '@signalbox/kit'
import { Redis } from 'ioredis'
import type { Availability } from './availability.ts'
import { errorOf, refusedWriteOf, unavailable } from './errors.ts'

const HEARTBEAT_INTERVAL_MS = 250
/** An unanswered heartbeat of this age makes the store unavailable in readiness; the command timeout then cuts the connection. */
const SILENCE_MS = 750
const MAX_RECONNECT_DELAY_MS = 1_000
/** Between connecting anew to a replica: the address may lead to the new primary. */
const REPLICA_RECONNECT_MS = 1_000

export interface ConnectionOptions {
  url: string
  /** As logs and Redis (CLIENT LIST) call it. */
  name: string
  commandTimeoutMs: number
  /** May be written at any time. */
  probeKey: string
}

export type Script<Reply> = (
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<Reply>

/** Closed by whoever made it. */
export class RedisConnection {
  readonly #name: string
  readonly #commandTimeoutMs: number
  readonly #probeKey: string
  readonly #availability: Availability
  readonly #redis: Redis
  readonly #heartbeat: NodeJS.Timeout
  readonly #waiting = new Set<(error?: Error) => void>()
  #isReady = false
  #isClosed = false
  #epoch = 0
  #notReadySinceMs = performance.now()
  #lastReason = 'not connected yet'
  #pingSentAtMs: number | undefined
  /** What Redis said when it refused to write. */
  #refusal: string | undefined
  #reconnectedAtMs = 0

  constructor(options: ConnectionOptions, { availability }: { availability: Availability }) {
    this.#name = options.name
    this.#commandTimeoutMs = options.commandTimeoutMs
    this.#probeKey = options.probeKey
    this.#availability = availability
    availability.expect(options.name)
    this.#redis = new Redis(options.url, {
      connectionName: `signalbox-${options.name}`,
      connectTimeout: options.commandTimeoutMs,
      disconnectTimeout: 100,
      retryStrategy: (attempt) =>
        backoffDelayMs(attempt, { initialDelayMs: 50, maxDelayMs: MAX_RECONNECT_DELAY_MS }),
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      autoResubscribe: false,
    })
    this.#redis.on('ready', () => this.#onReady())
    this.#redis.on('close', () => {
      this.#pingSentAtMs = undefined
      // Of a connection that never became ready, its error has said more.
      if (this.#isReady) this.#onLost(this.#refusal ?? 'the connection is lost')
    })
    this.#redis.on('error', (error: Error) => this.#onLost(error.message || error.name))
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_INTERVAL_MS)
    this.#heartbeat.unref()
  }

  get isReady(): boolean {
    return this.#isReady
  }

  /** Counts how often the connection came to be: what was said to an earlier one is forgotten. */
  get epoch(): number {
    return this.#epoch
  }

  onReady(listener: () => void): void {
    this.#redis.on('ready', listener)
  }

  /** Of the pub/sub channels that this connection is subscribed to. */
  onMessage(listener: (channel: string, message: string) => void): void {
    this.#redis.on('message', listener)
  }

  /**
   * Runs commands and maps their errors. While the connection is ready `action` runs at once, so what is called first is sent first.
   * Rejects with `UnavailableError` when the command timeout has passed, waiting for the connection included.
   */
  async run<Reply>(action: (redis: Redis) => Promise<Reply>): Promise<Reply> {
    const deadlineMs = performance.now() + this.#commandTimeoutMs
    if (!this.#isReady) await this.#untilReady()
    // n.b. not ioredis's own pipelining: it sends nothing more before all that it sent last is answered.
    gatherWrites(this.#redis.stream)
    try {
      return await this.#inTime(action(this.#redis), deadlineMs - performance.now())
    } catch (error) {
      this.#noteRefusal(error)
      throw errorOf(error)
    }
  }

  /** Sent by its hash, and whole when the server does not have it. `name` is unique within the connection. */
  script<Reply>(name: string, numberOfKeys: number | 'any', lua: string): Script<Reply> {
    this.#redis.defineCommand(name, numberOfKeys === 'any' ? { lua } : { lua, numberOfKeys })
    const redis = this.#redis as Redis & Record<string, (...args: unknown[]) => Promise<Reply>>
    return (keys, args) => {
      const count = numberOfKeys === 'any' ? [keys.length] : []
      return this.run(() => redis[name]!(...count, ...keys, ...args))
    }
  }

  /** Why it cannot work now although it may look connected. */
  unavailableReason(): string | undefined {
    if (this.#isClosed) return 'the store is closed'
    const silentMs = this.#pingSentAtMs === undefined ? 0 : performance.now() - this.#pingSentAtMs
    if (silentMs < SILENCE_MS) return undefined
    return `Redis (${this.#name}) has not answered for ${Math.round(silentMs)} ms`
  }

  /** Cuts the connection; it comes back by itself. */
  reconnect(): void {
    if (!this.#isClosed) this.#redis.disconnect(true)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#isReady = false
    clearInterval(this.#heartbeat)
    this.#settleWaiting(unavailable('the store is closed'))
    if (this.#redis.status === 'end') return
    const ended = new Promise((resolve) => this.#redis.once('end', resolve))
    this.#redis.disconnect()
    // n.b. Between two attempts there is no socket whose end would be told.
    if (this.#redis.status !== 'reconnecting') await this.#inTime(ended).catch(() => undefined)
  }

  #onReady(): void {
    this.#epoch += 1
    this.#isReady = true
    this.#pingSentAtMs = undefined
    // n.b. that it can be reached does not mean that it writes again; the next heartbeat tries.
    if (this.#refusal === undefined) this.#availability.restored(this.#name)
    this.#settleWaiting()
  }

  #onLost(reason: string): void {
    if (this.#isClosed) return
    if (this.#isReady) this.#notReadySinceMs = performance.now()
    this.#isReady = false
    this.#pingSentAtMs = undefined
    this.#lastReason = reason
    this.#availability.lost(this.#name, reason)
  }

  #settleWaiting(error?: Error): void {
    for (const settle of [...this.#waiting]) settle(error)
  }

  /** Rejects when the connection has been away for the command timeout, at once when it has been already. */
  #untilReady(): Promise<void> {
    const leftMs = this.#notReadySinceMs + this.#commandTimeoutMs - performance.now()
    if (this.#isClosed) return Promise.reject(unavailable('the store is closed'))
    if (leftMs <= 0) return Promise.reject(unavailable(this.#lastReason))
    return new Promise((resolve, reject) => {
      const settle = (error?: Error) => {
        clearTimeout(timer)
        this.#waiting.delete(settle)
        if (error) reject(error)
        else resolve()
      }
      const timer = setTimeout(() => settle(unavailable(this.#lastReason)), leftMs)
      this.#waiting.add(settle)
    })
  }

  async #inTime<Reply>(
    reply: Promise<Reply>,
    timeoutMs: number = this.#commandTimeoutMs,
  ): Promise<Reply> {
    const { promise: timedOut, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(
      () => reject(unavailable(`no answer within ${this.#commandTimeoutMs} ms`)),
      timeoutMs,
    )
    try {
      return await Promise.race([reply, timedOut])
    } finally {
      clearTimeout(timer)
    }
  }

  #beat(): void {
    const { status } = this.#redis
    if (status === 'end') {
      this.#redis.connect().catch(() => undefined)
    } else if (status === 'connect') {
      this.#pingSentAtMs ??= performance.now()
      if (performance.now() - this.#pingSentAtMs > this.#commandTimeoutMs) this.reconnect()
    } else if (this.#isReady && this.#pingSentAtMs === undefined) {
      const epoch = this.#epoch
      this.#pingSentAtMs = performance.now()
      const answered: Promise<unknown> =
        this.#refusal === undefined ? this.#redis.ping() : this.#tryWriting()
      this.#inTime(answered).then(
        () => {
          this.#pingSentAtMs = undefined
        },
        () => {
          if (this.#isReady && this.#epoch === epoch) this.reconnect()
        },
      )
    }
  }

  #noteRefusal(error: unknown): string | undefined {
    const refusal = refusedWriteOf(error)
    if (refusal === undefined || this.#isClosed) return refusal
    this.#refusal = refusal
    this.#availability.lost(this.#name, refusal)
    return refusal
  }

  async #tryWriting(): Promise<void> {
    try {
      await this.#redis.set(this.#probeKey, '', 'PX', 1_000)
      this.#refusal = undefined
      this.#availability.restored(this.#name)
    } catch (error) {
      const refusal = this.#noteRefusal(error)
      if (refusal === undefined) throw error
      if (refusal.startsWith('READONLY')) this.#leaveReplica()
    }
  }

  #leaveReplica(): void {
    if (performance.now() - this.#reconnectedAtMs < REPLICA_RECONNECT_MS) return
    this.#reconnectedAtMs = performance.now()
    this.reconnect()
  }
}

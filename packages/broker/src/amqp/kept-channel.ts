/**
 * An AMQP channel that is kept: opened on every session, and again when an error closes it while the connection lives.
 *
 * Opening again waits longer each time until a channel has lived for a while, so what closes it at once makes no hot loop, and
 * only the first loss of such a series is logged.
 */
import { backoffDelayMs, delay, type Log } from '@signalbox/kit'
import type { Channel, ChannelModel } from 'amqplib'
import { atMost } from './at-most.ts'
import { type AmqpConnection, type AmqpSession, reasonOf } from './connection.ts'

/** A channel that lived this long was sound: the next loss begins a new series. */
const SOUND_AFTER_MS = 10_000
const CLOSE_TIMEOUT_MS = 3_000

export interface KeptChannelOptions<Kind extends Channel> {
  /** As logs and reasons call it. */
  name: string
  create(model: ChannelModel): Promise<Kind>
  /** Makes the channel useful; `lost` is aborted when it is gone. When it rejects, the channel is closed and another opened. */
  setUp(channel: Kind, lost: AbortSignal): Promise<void>
}

export class KeptChannel<Kind extends Channel> {
  readonly #options: KeptChannelOptions<Kind>
  readonly #log: Log
  readonly #closing = new AbortController()
  readonly #stopListening: () => void
  #keeping: Promise<void> = Promise.resolve()
  #end: ((reason: string) => void) | undefined
  #isOpen = false
  #failure = 'not open yet'

  constructor(
    options: KeptChannelOptions<Kind>,
    deps: { connection: Pick<AmqpConnection, 'listen'>; log: Log },
  ) {
    this.#options = options
    this.#log = deps.log
    this.#stopListening = deps.connection.listen({
      onOpen: (session) => {
        this.#keeping = this.#keep(session)
      },
    })
  }

  /** Why it is not open, or undefined. */
  unavailableReason(): string | undefined {
    return this.#isOpen ? undefined : `${this.#options.name}: ${this.#failure}`
  }

  /** Closes the channel and opens another. */
  renew(reason: string): void {
    this.#end?.(reason)
  }

  /** Idempotent. Resolves after the broker has handled what was sent on the channel. */
  async close(): Promise<void> {
    this.#stopListening()
    this.#closing.abort()
    this.#end?.('closed')
    await this.#keeping
  }

  async #keep(session: AmqpSession): Promise<void> {
    const over = AbortSignal.any([session.lost, this.#closing.signal])
    let losses = 0
    while (!over.aborted) {
      const openedAtMs = Date.now()
      const reason = await this.#use(session, losses)
      if (over.aborted) break
      losses = Date.now() - openedAtMs > SOUND_AFTER_MS ? 1 : losses + 1
      this.#failure = reason
      if (losses === 1) this.#log.warn({ channel: this.#options.name, reason }, 'channel.lost')
      await delay(backoffDelayMs(losses), over)
    }
  }

  /** Opens a channel and resolves with the reason of its end. */
  async #use(session: AmqpSession, losses: number): Promise<string> {
    const { name, create, setUp } = this.#options
    let channel: Kind
    try {
      channel = await create(session.model)
    } catch (error) {
      return reasonOf(error)
    }
    const lost = new AbortController()
    const ended = Promise.withResolvers<string>()
    const end = (reason: string): void => {
      lost.abort()
      ended.resolve(reason)
    }
    let reason = 'the channel was closed'
    channel.on('error', (error) => {
      reason = reasonOf(error)
    })
    channel.on('close', () => end(reason))
    session.lost.addEventListener('abort', () => end('the connection was lost'), {
      signal: lost.signal,
    })
    this.#end = end

    const fault = await Promise.race([
      ended.promise,
      setUp(channel, lost.signal).then(nothing, reasonOf),
    ])
    if (fault === undefined) {
      this.#isOpen = true
      if (losses > 0) this.#log.info({ channel: name, losses }, 'channel.restored')
      await ended.promise
    }
    this.#isOpen = false
    this.#end = undefined
    end(reason)
    await atMost(channel.close(), CLOSE_TIMEOUT_MS, session.lost)
    return fault ?? ended.promise
  }
}

function nothing(): undefined {
  return undefined
}

/**
 * An AMQP channel that is kept: opened on every session, and again when an error closes it while the connection lives.
 *
 * Opening again waits longer each time until a channel has lived for a while, so what closes it at once makes no hot loop, and
 * only the first loss of such a series is logged. The same holds for one that is *replaced*: it stays open until it has finished its work,
 * while another does what is new.
 */
import { backoffDelayMs, delay, type Log } from '@signalbox/kit'
import type { Channel, ChannelModel } from 'amqplib'
import { atMost } from './at-most.ts'
import { type AmqpConnection, type AmqpSession, reasonOf } from './connection.ts'

/** A channel that lived this long was sound: the next loss begins a new series. */
const SOUND_AFTER_MS = 10_000
const CLOSE_TIMEOUT_MS = 3_000
/**
 * What RabbitMQ has not answered by then it may leave unanswered for more than a minute, if the queue had no leader when it was asked;
 * another channel is answered as soon as there is one. What was declared meanwhile stays, so one that is merely slow gets done, too.
 *
 * n.b. each leaves a channel that hangs, of the 2,047 that a connection may have. In four minutes without a majority there were never more than
 * 125 for six consumers: after two of them such a connection is lost, and opened anew.
 */
export const ANSWER_TIMEOUT_MS = 2_500
/** As the reason of a loss. */
export const NO_ANSWER = `the broker has not answered for ${ANSWER_TIMEOUT_MS} ms`
/** Between a channel and the next when the election of a queue's leader is waited for: that takes about a second. */
const ELECTION_DELAYS = { initialDelayMs: 250, maxDelayMs: 1_000 }

export interface KeptChannelOptions<Kind extends Channel> {
  /** As logs and reasons call it. */
  name: string
  create(model: ChannelModel): Promise<Kind>
  /**
   * Makes the channel useful; `lost` is aborted when it is gone. When it rejects, or takes longer than `ANSWER_TIMEOUT_MS`, the channel is
   * closed and another opened.
   */
  setUp(channel: Kind, lost: AbortSignal): Promise<void>
  /** Resolves when a channel that was replaced may be closed; `lost` is aborted when it is gone anyway. Default: at once. */
  finish?(channel: Kind, lost: AbortSignal): Promise<void>
}

/** Why a channel is used no longer. `finish`: to be called as soon as another is in its place. */
interface Ending {
  reason: string
  finish?(): void
}

export class KeptChannel<Kind extends Channel> {
  readonly #options: KeptChannelOptions<Kind>
  readonly #log: Log
  readonly #closing = new AbortController()
  readonly #stopListening: () => void
  #keeping: Promise<void> = Promise.resolve()
  readonly #finishing = new Set<Promise<void>>()
  #end: ((reason: string) => void) | undefined
  #replace: ((reason: string) => void) | undefined
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

  /** Opens another channel soon, and lets this one finish its work. Does nothing while that is under way, or when it is not open. */
  replace(reason: string): void {
    this.#replace?.(reason)
  }

  /** Idempotent. Resolves after the broker has handled what was sent on the channel. */
  async close(): Promise<void> {
    this.#stopListening()
    this.#closing.abort()
    this.#end?.('closed')
    await this.#keeping
    await Promise.all(this.#finishing)
  }

  async #keep(session: AmqpSession): Promise<void> {
    const over = AbortSignal.any([session.lost, this.#closing.signal])
    let losses = 0
    let replacements = 0
    let before: Ending | undefined
    while (!over.aborted) {
      const openedAtMs = Date.now()
      before = await this.#use(session, losses, before)
      if (over.aborted) break
      const wasSound = Date.now() - openedAtMs > SOUND_AFTER_MS
      const { reason, finish } = before
      if (finish) {
        replacements = wasSound ? 1 : replacements + 1
        if (replacements === 1) this.#warn('channel.replaced', reason)
        await delay(backoffDelayMs(replacements, ELECTION_DELAYS), over)
      } else {
        losses = wasSound ? 1 : losses + 1
        this.#failure = reason
        if (losses === 1) this.#warn('channel.lost', reason)
        await delay(backoffDelayMs(losses, reason === NO_ANSWER ? ELECTION_DELAYS : {}), over)
      }
    }
    this.#isOpen = false
    before?.finish?.()
  }

  #warn(what: string, reason: string): void {
    this.#log.warn({ channel: this.#options.name, reason }, what)
  }

  /** Opens a channel and resolves when it is lost, or shall be replaced. */
  async #use(session: AmqpSession, losses: number, before?: Ending): Promise<Ending> {
    const { name, create, setUp } = this.#options
    let channel: Kind
    try {
      channel = await create(session.model)
    } catch (error) {
      this.#isOpen = false
      before?.finish?.()
      return { reason: reasonOf(error) }
    }
    const lost = new AbortController()
    const ended = Promise.withResolvers<Ending>()
    const end = (reason: string): void => {
      lost.abort()
      ended.resolve({ reason })
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
    const close = async (): Promise<void> => {
      end(reason)
      await atMost(channel.close(), CLOSE_TIMEOUT_MS, session.lost)
    }

    const timer = setTimeout(end, ANSWER_TIMEOUT_MS, NO_ANSWER)
    const fault = await Promise.race([
      ended.promise,
      setUp(channel, lost.signal).then(nothing, (error) => ({ reason: reasonOf(error) })),
    ])
    clearTimeout(timer)
    before?.finish?.()
    if (fault === undefined) {
      this.#isOpen = true
      if (losses > 0) this.#log.info({ channel: name, losses }, 'channel.restored')
      const finish = (): void => this.#finish(channel, lost.signal, close)
      this.#replace = (why) => ended.resolve({ reason: why, finish })
      const ending = await ended.promise
      this.#replace = undefined
      if (ending.finish) return ending
    }
    this.#isOpen = false
    this.#end = undefined
    const closed = close()
    const ending = fault ?? (await ended.promise)
    if (ending.reason === NO_ANSWER) this.#closeWaitsFor(closed)
    else await closed
    return ending
  }

  #finish(channel: Kind, lost: AbortSignal, close: () => Promise<void>): void {
    const finish = this.#options.finish ?? (async () => undefined)
    const over = AbortSignal.any([lost, this.#closing.signal])
    this.#closeWaitsFor(finish(channel, over).then(close))
  }

  #closeWaitsFor(work: Promise<void>): void {
    this.#finishing.add(work)
    void work.finally(() => this.#finishing.delete(work))
  }
}

function nothing(): undefined {
  return undefined
}

/**
 * Who in this process listens to which pub/sub channel of Redis: one SUBSCRIBE per channel, however many listen.
 *
 * After a reconnection every channel is subscribed again, and then everybody is told that messages may have been missed.
 */
import type { Log } from '@signalbox/kit'
import { notify } from '../listeners.ts'
import type { Unsubscribe } from '../ports.ts'
import type { RedisConnection } from './connection.ts'

/** Channels per SUBSCRIBE after a reconnection: 10,000 take about 35 ms in chunks of this size. */
const CHUNK_SIZE = 500

interface Topic {
  readonly onMessage: Set<(message: string) => void>
  readonly onLost: Set<() => void>
  registered: Promise<unknown>
  /** The connection's epoch at which it was registered last. */
  epoch: number
  /** Whether it ever was: there is something to lose. */
  isLive: boolean
}

export class Subscriptions {
  readonly #connection: RedisConnection
  readonly #log: Log
  readonly #topics = new Map<string, Topic>()

  constructor(connection: RedisConnection, log: Log) {
    this.#connection = connection
    this.#log = log
    connection.onMessage((channel, message) => {
      notify(this.#topics.get(channel)?.onMessage ?? [], message, log)
    })
    connection.onReady(() => {
      this.#resubscribe().catch((err: unknown) => {
        log.warn({ err }, 'store.resubscribe_failed')
        connection.reconnect()
      })
    })
  }

  /** Resolves when Redis has confirmed the channel. Rejects with `UnavailableError`; there is then nothing to end. */
  async subscribe(
    channel: string,
    onMessage: (message: string) => void,
    onLost?: () => void,
  ): Promise<Unsubscribe> {
    const topic = this.#topicOf(channel)
    const hear = (message: string) => onMessage(message)
    const lose = () => onLost?.()
    topic.onMessage.add(hear)
    topic.onLost.add(lose)
    const unsubscribe = async () => {
      topic.onLost.delete(lose)
      if (topic.onMessage.delete(hear)) await this.#dropUnheard(channel, topic)
    }
    try {
      await this.#register(channel, topic)
    } catch (error) {
      await unsubscribe()
      throw error
    }
    return unsubscribe
  }

  #topicOf(channel: string): Topic {
    const known = this.#topics.get(channel)
    if (known) return known
    const topic: Topic = {
      onMessage: new Set(),
      onLost: new Set(),
      registered: Promise.resolve(),
      epoch: 0,
      isLive: false,
    }
    this.#topics.set(channel, topic)
    return topic
  }

  async #register(channel: string, topic: Topic): Promise<void> {
    if (!this.#connection.isReady || topic.epoch !== this.#connection.epoch) {
      topic.epoch = this.#connection.epoch
      topic.registered = this.#connection.run((redis) => redis.subscribe(channel))
    }
    try {
      await topic.registered
      topic.isLive = true
    } catch (error) {
      topic.epoch = 0
      throw error
    }
  }

  async #dropUnheard(channel: string, topic: Topic): Promise<void> {
    if (topic.onMessage.size > 0 || this.#topics.get(channel) !== topic) return
    this.#topics.delete(channel)
    if (!this.#connection.isReady) return
    await this.#connection
      .run((redis) => redis.unsubscribe(channel))
      .catch((err: unknown) => this.#log.debug({ err }, 'store.unsubscribe_failed'))
  }

  async #resubscribe(): Promise<void> {
    const { epoch } = this.#connection
    const live = [...this.#topics].filter(([, topic]) => topic.isLive)
    for (let start = 0; start < live.length; start += CHUNK_SIZE) {
      const chunk = live.slice(start, start + CHUNK_SIZE)
      const channels = chunk.map(([channel]) => channel)
      const registered = this.#connection.run((redis) => redis.subscribe(...channels))
      for (const [, topic] of chunk) Object.assign(topic, { registered, epoch })
      await registered
    }
    for (const [, topic] of live) notify(topic.onLost, undefined, this.#log)
  }
}

/**
 * The channels that sockets of this process want: one feed each, opened for the first holder and closed after the last.
 *
 * A change is decoded and encoded once here, however many sockets it goes to.
 */
import type { Log } from '@signalbox/kit'
import { type Channel, type ChannelMessage, type ChannelStore, channelName } from '@signalbox/store'
import { type ChannelFeed, openChannelFeed } from './channel-feed.ts'
import type { EdgeMetrics } from './metrics.ts'
import { type DeliverableChange, decodePayload } from './state-change.ts'

export type ChangeListener = (change: DeliverableChange) => void

/** One interest in one channel. */
export interface Hold {
  /** Changes from now on, in order, each once. */
  listen(listener: ChangeListener): void
  /** Ends the interest. Idempotent. */
  release(): void
}

/** Disposing it closes every feed. */
export interface ChannelRegistry extends AsyncDisposable {
  /** Resolves when the channel is live: a change that is published from now on reaches the listener. Rejects when the store is away. */
  hold(channel: Channel): Promise<Hold>
  /** Channels that are held now. */
  readonly size: number
}

export interface ChannelRegistryDeps {
  channels: Pick<ChannelStore, 'subscribe' | 'open'>
  log: Log
  metrics: Pick<EdgeMetrics, 'missed'>
}

interface SharedFeed {
  feed: ChannelFeed
  holds: number
  listeners: Set<ChangeListener>
}

export function createChannelRegistry({
  channels,
  log,
  metrics,
}: ChannelRegistryDeps): ChannelRegistry {
  const shared = new Map<string, SharedFeed>()
  const closing = new Set<Promise<void>>()

  function acquire(channel: Channel): SharedFeed {
    const key = keyOf(channel)
    const known = shared.get(key)
    if (known) {
      known.holds++
      return known
    }
    const listeners = new Set<ChangeListener>()
    const feed = openChannelFeed(channel, {
      channels,
      log,
      onMessage: (message) => deliver(channel, message, listeners),
      onMissed(count) {
        metrics.missed.inc(count)
        log.warn({ accountKey: channel.accountKey, count }, 'channel.messages_missed')
      },
    })
    const opened = { feed, holds: 1, listeners }
    shared.set(key, opened)
    return opened
  }

  function abandon(channel: Channel, held: SharedFeed): void {
    held.holds--
    if (held.holds > 0) return
    shared.delete(keyOf(channel))
    const closed = held.feed.close().finally(() => closing.delete(closed))
    closing.add(closed)
  }

  function deliver(
    { accountKey }: Channel,
    message: ChannelMessage,
    listeners: ReadonlySet<ChangeListener>,
  ): void {
    const change = decodePayload(message.payload)
    if (change) for (const listener of listeners) listener(change)
    else log.debug({ accountKey, messageId: message.id }, 'channel.message_passed_by')
  }

  return {
    async hold(channel) {
      const held = acquire(channel)
      try {
        await held.feed.live()
      } catch (error) {
        abandon(channel, held)
        throw error
      }
      let own: ChangeListener | undefined
      let isReleased = false
      return {
        listen(listener) {
          own = listener
          held.listeners.add(listener)
        },
        release() {
          if (isReleased) return
          isReleased = true
          if (own) held.listeners.delete(own)
          abandon(channel, held)
        },
      }
    },
    get size() {
      return shared.size
    },
    async [Symbol.asyncDispose]() {
      const open = [...shared.values()].map(({ feed }) => feed.close())
      shared.clear()
      await Promise.all([...open, ...closing])
    },
  }
}

function keyOf(channel: Channel): string {
  return `${channel.accountKey} ${channelName(channel)}`
}

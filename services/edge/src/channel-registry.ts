/**
 * The channels that sockets of this process want: one feed each, opened for the first holder and closed after the last.
 *
 * A message is decoded and encoded once here, however many sockets it goes to.
 */
import type { Log } from '@signalbox/kit'
import {
  type Channel,
  type ChannelMessage,
  type ChannelOpening,
  type ChannelPosition,
  type ChannelStore,
  type ChannelView,
  channelName,
} from '@signalbox/store'
import { Audience, type Listener } from './audience.ts'
import { type Break, type ChannelFeed, openChannelFeed } from './channel-feed.ts'
import { PAGE } from './limits.ts'
import { decodeMessage, type LiveMessage } from './live-message.ts'
import type { EdgeMetrics } from './metrics.ts'

export interface ChannelListener extends Listener {
  /** Messages that fit the listener's filter, in order, each once. */
  onMessage(message: LiveMessage): void
  /** It cannot be said that nothing was missed; what the log still has follows, up to `found.end`. */
  onBreak(found: Break): void
}

/** One interest in one channel. */
export interface Hold {
  /** Messages to read at once. */
  readonly pageSize: number
  /** Of the last message that listeners were told, or the log's end when the feed began. */
  readonly position: ChannelPosition
  /** Tells of messages from now on. */
  listen(listener: ChannelListener): void
  open(opening: ChannelOpening): Promise<ChannelView>
  /** Undefined: not a message that this version understands. */
  decode(message: ChannelMessage): LiveMessage | undefined
  /** Looks whether something was missed; resolves when the channel is live. */
  check(): Promise<void>
  /** Ends the interest. Idempotent. */
  release(): void
}

/** Disposing it closes every feed. */
export interface ChannelRegistry extends AsyncDisposable {
  /** Resolves when the channel is live: what is published from now on reaches the listener. Rejects when the store is away. */
  hold(channel: Channel): Promise<Hold>
  /** Channels that are held now. */
  readonly size: number
  /** The accounts whose own channel is held now. */
  accounts(): Iterable<string>
}

/** Who brings an account's events to its channel; nobody does so unasked. */
export interface AccountInterest {
  /** Resolves when every event of the account that is published from now on gets to its channel. */
  ensure(accountKey: string): Promise<void>
  /** The same, and makes sure again: the channel was found in another epoch. */
  assert(accountKey: string): Promise<void>
}

export interface ChannelRegistryDeps {
  channels: Pick<ChannelStore, 'subscribe' | 'open'>
  log: Log
  metrics: Pick<EdgeMetrics, 'missed' | 'filterFaults'>
  /** Messages in one read of a log; default 100. */
  pageSize?: number
  /** Absent: every account's channel is filled anyway. */
  interest?: AccountInterest
}

interface SharedFeed {
  channel: Channel
  feed: ChannelFeed
  holds: number
  audience: Audience<ChannelListener>
}

export function createChannelRegistry({
  channels,
  log,
  metrics,
  pageSize = PAGE,
  interest,
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
    const audience = new Audience<ChannelListener>(() => metrics.filterFaults.inc())
    const feed = openChannelFeed(channel, {
      channels,
      log,
      pageSize,
      onMessage(message) {
        const decoded = decode(channel, message)
        if (decoded) audience.deliver(decoded)
      },
      onBreak(found) {
        for (const listener of audience) listener.onBreak(found)
        if (channel.kind === 'account') assertInterest(channel.accountKey)
      },
      onMissed(count) {
        metrics.missed.inc(count)
        log.warn({ accountKey: channel.accountKey, count }, 'channel.messages_missed')
      },
    })
    const opened = { channel, feed, holds: 1, audience }
    shared.set(key, opened)
    return opened
  }

  function assertInterest(accountKey: string): void {
    interest?.assert(accountKey).catch((error: unknown) => {
      log.warn({ err: error, accountKey }, 'channel.interest_failed')
    })
  }

  function abandon(held: SharedFeed): void {
    held.holds--
    if (held.holds > 0) return
    shared.delete(keyOf(held.channel))
    const closed = held.feed.close().finally(() => closing.delete(closed))
    closing.add(closed)
  }

  function decode(channel: Channel, message: ChannelMessage): LiveMessage | undefined {
    const decoded = decodeMessage(channel, message)
    if (!decoded) {
      const { accountKey } = channel
      log.debug({ accountKey, messageId: message.id }, 'channel.message_passed_by')
    }
    return decoded
  }

  function holdOf(held: SharedFeed): Hold {
    const { channel, feed, audience } = held
    let own: ChannelListener | undefined
    let isReleased = false
    return {
      pageSize,
      get position() {
        return feed.position
      },
      listen(listener) {
        own = listener
        audience.add(listener)
      },
      open: (opening) => channels.open(channel, opening),
      decode: (message) => decode(channel, message),
      check: () => feed.check(),
      release() {
        if (isReleased) return
        isReleased = true
        if (own) audience.delete(own)
        abandon(held)
      },
    }
  }

  return {
    async hold(channel) {
      // n.b. before the feed begins: it may have to begin a new epoch.
      if (channel.kind === 'account') await interest?.ensure(channel.accountKey)
      const held = acquire(channel)
      try {
        await held.feed.live()
      } catch (error) {
        abandon(held)
        throw error
      }
      return holdOf(held)
    },
    get size() {
      return shared.size
    },
    *accounts() {
      for (const { channel } of shared.values()) {
        if (channel.kind === 'account') yield channel.accountKey
      }
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

/**
 * A feed: this process' one subscription to one channel, shared by every socket that wants it.
 *
 * - starting: the store's subscription is being made and the log's end is looked up
 * - live: messages are passed on as they come
 * - behind: some may have been missed; they are read from the log, in order, and what arrives meanwhile is read there too
 *
 * Messages count as missed when the store says so (`onLost`) and when an offset is skipped.
 */
import { backoffDelayMs, delay, type Log } from '@signalbox/kit'
import type { Channel, ChannelMessage, ChannelStore, Unsubscribe } from '@signalbox/store'

/** Messages in one read of the log. */
const PAGE = 1_000

/**
 * Ids of the newest messages, by which a message is known again: one that was read from the log and arrives by subscription
 * afterwards (few are ever on their way), and the place in a log whose offsets began again.
 */
const MAX_RECENT = 64

export interface ChannelFeedDeps {
  channels: Pick<ChannelStore, 'subscribe' | 'open'>
  log: Log
  /** In order, each message once. */
  onMessage(message: ChannelMessage): void
  /** So many messages had left the log before they could be read. */
  onMissed(count: number): void
}

export interface ChannelFeed {
  /** Resolves when every message from now on will be passed on; rejects when the store cannot be reached. */
  live(): Promise<void>
  /** No more messages. Idempotent; never rejects. */
  close(): Promise<void>
}

export function openChannelFeed(
  channel: Channel,
  { channels, log, onMessage, onMissed }: ChannelFeedDeps,
): ChannelFeed {
  const closing = new AbortController()
  const recent: string[] = []
  /** 0: nothing was in the log at the start, and nothing has come; what was there before may have been forgotten for its age. */
  let lastOffset = 0
  let isStarted = false
  let isCatchingUp = false
  /** Something may have been missed that the reading under way does not see. */
  let isBehind = false
  let reading: Promise<void> = Promise.resolve()

  const started = start()

  async function start(): Promise<Unsubscribe> {
    const unsubscribe = await channels.subscribe(channel, onArrival, onLost)
    try {
      for (const message of await read(0)) remember(message)
    } catch (error) {
      await unsubscribe()
      throw error
    }
    isStarted = true
    if (isBehind) void catchUp()
    return unsubscribe
  }

  function onArrival(message: ChannelMessage): void {
    if (!isStarted || isCatchingUp) {
      isBehind = true
    } else if (!recent.includes(message.id)) {
      // n.b. an offset below the last one is no sign of a double: a channel that was forgotten for its age begins again at 1.
      if (message.offset > lastOffset + 1) onLost()
      else pass(message)
    }
  }

  function onLost(): void {
    isBehind = true
    if (isStarted && !isCatchingUp) void catchUp()
  }

  async function read(afterOffset: number): Promise<ChannelMessage[]> {
    const { messages } = await channels.open(channel, { afterOffset, limit: PAGE })
    return messages
  }

  async function catchUp(): Promise<void> {
    isCatchingUp = true
    for (let attempt = 1; isBehind && !closing.signal.aborted; attempt++) {
      try {
        reading = readMissed()
        await reading
        attempt = 0
      } catch (error) {
        isBehind = true
        log.debug({ err: error }, 'channel.catch_up_failed')
        await delay(backoffDelayMs(attempt), closing.signal)
      }
    }
    isCatchingUp = false
  }

  async function readMissed(): Promise<void> {
    isBehind = false
    const kept = await read(Math.max(0, lastOffset - 1))
    const first = kept[0]
    if (first === undefined || first.offset <= lastOffset) {
      const isSameLog = first === undefined ? lastOffset === 0 : first.id === recent.at(-1)
      passAfterKnown(isSameLog ? kept : await read(0))
    } else {
      const missed = first.offset - lastOffset - 1
      if (lastOffset > 0 && missed > 0) onMissed(missed)
      passAfterKnown(kept)
    }
    if (kept.length === PAGE) isBehind = true
  }

  function passAfterKnown(kept: readonly ChannelMessage[]): void {
    const known = kept.findLastIndex(({ id }) => recent.includes(id))
    for (const message of kept.slice(known + 1)) pass(message)
  }

  function pass(message: ChannelMessage): void {
    remember(message)
    if (!closing.signal.aborted) onMessage(message)
  }

  function remember({ offset, id }: ChannelMessage): void {
    lastOffset = offset
    recent.push(id)
    if (recent.length > MAX_RECENT) recent.shift()
  }

  async function close(): Promise<void> {
    closing.abort()
    try {
      const unsubscribe = await started
      await unsubscribe()
    } catch (error) {
      log.debug({ err: error }, 'channel.unsubscribe_failed')
    }
  }

  let closed: Promise<void> | undefined
  return {
    async live() {
      await started
      // n.b. while the store cannot be read the last reading has failed, and so does this: nobody waits for an outage to end.
      while (isCatchingUp) await reading
    },
    close() {
      closed ??= close()
      return closed
    },
  }
}

/**
 * A feed: this process' one subscription to one channel, shared by every socket that wants it.
 *
 * - starting: the store's subscription is being made and the log's end is looked up
 * - live: messages are passed on as they come
 * - behind: some may have been missed; they are read from the log, in order, and what arrives meanwhile is read there too
 *
 * Messages count as missed when the store says so (`onLost`), and when one arrives that does not follow the last one. A *break* is
 * when it cannot be said that the log goes on from there: it was trimmed past it, lost its newest part, or is another epoch's.
 */
import { backoffDelayMs, delay, type Log } from '@signalbox/kit'
import type {
  Channel,
  ChannelMessage,
  ChannelPosition,
  ChannelStore,
  ChannelView,
  Unsubscribe,
} from '@signalbox/store'
import { asCursor, following, offsetBefore } from './cursor.ts'

/** Ids of the newest messages, by which one is known again that is in the log after a break, or arrives once more. */
const MAX_RECENT = { person: 16, account: 64 } as const satisfies Record<Channel['kind'], number>

/** The log as it was found after a break. */
export interface Break {
  /** Who counts positions goes on from here. */
  end: ChannelPosition
  /** What is current at the end, of a person's channel. */
  states?: string[]
}

export interface ChannelFeedDeps {
  channels: Pick<ChannelStore, 'subscribe' | 'open'>
  log: Log
  /** Messages in one read of the log. */
  pageSize: number
  /** In order, each message once. */
  onMessage(message: ChannelMessage): void
  /** Messages that are in the log, up to its end, and were not passed on before follow. */
  onBreak(found: Break): void
  /** So many messages had left the log before they could be read. */
  onMissed(count: number): void
}

export interface ChannelFeed {
  /** Resolves when every message from now on will be passed on; rejects when the store cannot be reached. */
  live(): Promise<void>
  /** Of the last message that was passed on, or the log's end at the start. Once it is live. */
  readonly position: ChannelPosition
  /** Looks at the log again; resolves and rejects as `live`. */
  check(): Promise<void>
  /** No more messages. Idempotent; never rejects. */
  close(): Promise<void>
}

export function openChannelFeed(
  channel: Channel,
  { channels, log, pageSize, onMessage, onBreak, onMissed }: ChannelFeedDeps,
): ChannelFeed {
  const closing = new AbortController()
  const recent: string[] = []
  const maxRecent = MAX_RECENT[channel.kind]
  let position: ChannelPosition = { epoch: '', offset: 0, id: '' }
  let isStarted = false
  let isCatchingUp = false
  /** Something may have been missed that the reading under way does not see. */
  let isBehind = false
  let reading: Promise<void> = Promise.resolve()

  const started = start()

  async function start(): Promise<Unsubscribe> {
    const unsubscribe = await channels.subscribe(channel, onArrival, onLost)
    try {
      const { end, messages } = await channels.open(channel, { limit: maxRecent })
      recent.push(...messages.map(({ id }) => id))
      position = end
    } catch (error) {
      await unsubscribe()
      throw error
    }
    isStarted = true
    if (isBehind) void catchUp()
    return unsubscribe
  }

  function onArrival(message: ChannelMessage): void {
    const { epoch, offset, id } = message
    if (!isStarted || isCatchingUp) {
      isBehind = true
    } else if (epoch === position.epoch && offset === position.offset + 1) {
      pass(message)
    } else if (epoch !== position.epoch || offset > position.offset || !recent.includes(id)) {
      onLost()
    }
  }

  function onLost(): void {
    isBehind = true
    if (isStarted && !isCatchingUp) void catchUp()
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
    const view = await channels.open(channel, {
      afterOffset: offsetBefore(position),
      limit: pageSize,
    })
    const missed = following(asCursor(position), view)
    if (missed === undefined) return goOnAfterBreak(view)
    for (const message of missed) pass(message)
    if (view.messages.length === pageSize) isBehind = true
  }

  async function goOnAfterBreak({ end, messages }: ChannelView): Promise<void> {
    const first = messages[0]
    const lost = first?.epoch === position.epoch ? first.offset - position.offset - 1 : 0
    if (lost > 0 && end.offset > position.offset) onMissed(lost)

    const states = channel.kind === 'person'
    const view = await channels.open(channel, { limit: pageSize, states })
    const known = view.messages.findLastIndex(({ id }) => recent.includes(id))
    const isWhole = known >= 0 || view.messages.length < pageSize
    const kept = isWhole ? view : await channels.open(channel, { afterOffset: 0, limit: pageSize })
    if (closing.signal.aborted) return
    onBreak({ end: view.end, ...(view.states ? { states: view.states } : {}) })
    for (const message of kept.messages.slice(known + 1)) pass(message)
    if (isWhole) position = view.end
    else isBehind = true
  }

  function pass(message: ChannelMessage): void {
    const { epoch, offset, id } = message
    position = { epoch, offset, id }
    recent.push(id)
    if (recent.length > maxRecent) recent.shift()
    if (!closing.signal.aborted) onMessage(message)
  }

  /** n.b. while the store cannot be read the last reading has failed, and so does this: nobody waits for an outage to end. */
  async function live(): Promise<void> {
    await started
    while (isCatchingUp) await reading
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
    live,
    get position() {
      return position
    },
    async check() {
      onLost()
      await live()
    },
    close() {
      closed ??= close()
      return closed
    },
  }
}

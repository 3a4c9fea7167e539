/** Channels in memory. */
import type { Log } from '@signalbox/kit'
import { type ChannelBounds, channelBoundsOf } from '../bounds.ts'
import { newEpoch } from '../channel-epoch.ts'
import { channelName } from '../channel-name.ts'
import { checkLimit, checkPosition } from '../input.ts'
import { notify } from '../listeners.ts'
import type {
  Channel,
  ChannelEntry,
  ChannelMessage,
  ChannelPosition,
  ChannelStore,
  StoreBounds,
} from '../ports.ts'
import { Accounts, type MemoryLifetime } from './accounts.ts'

/** What fell silent is looked for at most this often. */
const SWEEP_INTERVAL_MS = 60_000

/** `lost`: the channel was forgotten. */
type Listener = (message: ChannelMessage | 'lost') => void

interface ChannelLog {
  bounds: ChannelBounds
  end: ChannelPosition
  messages: ChannelMessage[]
  ids: Set<string>
  /** The one that changed longest ago first. */
  states: Map<string, string>
  lastAppendMs: number
  lastStateMs: number
  lastUseMs: number
}

export function createMemoryChannels(
  storeBounds: Required<StoreBounds>,
  deps: { lifetime: MemoryLifetime; log: Log },
): ChannelStore {
  const boundsOf = channelBoundsOf(storeBounds)
  const logs = new Accounts(deps.lifetime, () => new Map<string, ChannelLog>())
  const listeners = new Accounts(deps.lifetime, () => new Map<string, Set<Listener>>())
  let sweptAtMs = Date.now()

  /** The channel's log without what is too old; a new one when there is none. */
  function logOf(channel: Channel, nowMs: number): ChannelLog {
    const account = logs.of(channel.accountKey)
    const name = channelName(channel)
    let log = account.get(name)
    if (!log || isForgotten(log, nowMs)) {
      log = emptyLog(boundsOf[channel.kind], nowMs)
      account.set(name, log)
    }
    expire(log, nowMs)
    log.lastUseMs = nowMs
    return log
  }

  function sweep(nowMs: number): void {
    if (nowMs - sweptAtMs < SWEEP_INTERVAL_MS) return
    sweptAtMs = nowMs
    for (const account of logs.values()) {
      for (const [name, log] of account) {
        expire(log, nowMs)
        if (isForgotten(log, nowMs)) account.delete(name)
      }
    }
  }

  function tell(channel: Channel, message: ChannelMessage | 'lost'): void {
    const audience = listeners.of(channel.accountKey).get(channelName(channel))
    if (audience) queueMicrotask(() => notify(audience, message, deps.log))
  }

  return {
    async append(entries) {
      const nowMs = Date.now()
      sweep(nowMs)
      for (const entry of entries) {
        const log = logOf(entry.channel, nowMs)
        if (log.ids.has(entry.id)) continue
        tell(entry.channel, { ...appendTo(log, entry, nowMs) })
      }
    },

    async subscribe(channel, onMessage, onLost) {
      const account = listeners.of(channel.accountKey)
      const name = channelName(channel)
      const audience = account.get(name) ?? new Set()
      account.set(name, audience)
      const own: Listener = (message) => {
        if (message === 'lost') onLost?.()
        else onMessage(message)
      }
      audience.add(own)
      return async () => {
        audience.delete(own)
        if (audience.size === 0 && account.get(name) === audience) account.delete(name)
      }
    },

    async open(channel, { afterOffset, limit = 0, states = false } = {}) {
      if (afterOffset !== undefined) checkPosition(afterOffset, 'offset')
      if (limit !== 0) checkLimit(limit)
      const log = logOf(channel, Date.now())
      const messages =
        afterOffset === undefined
          ? log.messages.slice(log.messages.length - Math.min(limit, log.messages.length))
          : log.messages.filter(({ offset }) => offset > afterOffset).slice(0, limit)
      return {
        end: { ...log.end },
        messages: messages.map((message) => ({ ...message })),
        ...(states ? { states: [...log.states.values()] } : {}),
      }
    },

    async forget(channel) {
      logs.of(channel.accountKey).delete(channelName(channel))
      tell(channel, 'lost')
    },
  }
}

function emptyLog(bounds: ChannelBounds, nowMs: number): ChannelLog {
  return {
    bounds,
    end: { epoch: newEpoch(), offset: 0, id: '' },
    messages: [],
    ids: new Set(),
    states: new Map(),
    lastAppendMs: nowMs,
    lastStateMs: nowMs,
    lastUseMs: nowMs,
  }
}

function appendTo(
  log: ChannelLog,
  { id, payload, state }: ChannelEntry,
  nowMs: number,
): ChannelMessage {
  const { epoch, offset } = log.end
  const message = { epoch, offset: offset + 1, id, payload }
  log.end = { epoch, offset: message.offset, id }
  log.lastAppendMs = nowMs
  log.messages.push(message)
  log.ids.add(id)
  if (log.messages.length > log.bounds.maxMessages) log.ids.delete(log.messages.shift()!.id)
  if (state) {
    log.lastStateMs = nowMs
    log.states.delete(state.key)
    log.states.set(state.key, state.value)
    if (log.states.size > log.bounds.maxStates) log.states.delete(log.states.keys().next().value!)
  }
  return message
}

function expire(log: ChannelLog, nowMs: number): void {
  if (nowMs - log.lastAppendMs >= log.bounds.messageTtlMs) {
    log.messages = []
    log.ids.clear()
  }
  if (nowMs - log.lastStateMs >= log.bounds.stateTtlMs) log.states.clear()
}

function isForgotten(log: ChannelLog, nowMs: number): boolean {
  return nowMs - log.lastUseMs >= log.bounds.endTtlMs
}

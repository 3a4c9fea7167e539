/** Channels in memory. */
import type { Log } from '@signalbox/kit'
import { CHANNEL_OFFSET_TTL_MS } from '../bounds.ts'
import { checkLimit, checkPosition } from '../input.ts'
import { notify } from '../listeners.ts'
import type { ChannelMessage, ChannelStore } from '../ports.ts'
import { Accounts, type MemoryLifetime } from './accounts.ts'

/** What fell silent is looked for at most this often. */
const SWEEP_INTERVAL_MS = 60_000

type Listener = (message: ChannelMessage) => void

interface ChannelLog {
  lastOffset: number
  messages: ChannelMessage[]
  ids: Set<string>
  lastAppendMs: number
}

export function createMemoryChannels(
  options: { maxChannelMessages: number; channelTtlMs: number },
  deps: { lifetime: MemoryLifetime; log: Log },
): ChannelStore {
  const logs = new Accounts(deps.lifetime, () => new Map<string, ChannelLog>())
  const listeners = new Accounts(deps.lifetime, () => new Map<string, Set<Listener>>())
  let sweptAtMs = Date.now()

  const expire = (log: ChannelLog, nowMs: number) => {
    if (nowMs - log.lastAppendMs < options.channelTtlMs) return
    log.messages = []
    log.ids.clear()
  }
  const sweep = (nowMs: number) => {
    if (nowMs - sweptAtMs < SWEEP_INTERVAL_MS) return
    sweptAtMs = nowMs
    for (const account of logs.values()) {
      for (const [personKey, log] of account) {
        expire(log, nowMs)
        if (nowMs - log.lastAppendMs >= CHANNEL_OFFSET_TTL_MS) account.delete(personKey)
      }
    }
  }

  return {
    async append(entries) {
      const nowMs = Date.now()
      sweep(nowMs)
      for (const { channel, id, payload } of entries) {
        const account = logs.of(channel.accountKey)
        const log = account.get(channel.personKey) ?? emptyLog()
        account.set(channel.personKey, log)
        expire(log, nowMs)
        if (log.ids.has(id)) continue
        log.lastOffset += 1
        log.lastAppendMs = nowMs
        const message = { offset: log.lastOffset, id, payload }
        log.messages.push(message)
        log.ids.add(id)
        if (log.messages.length > options.maxChannelMessages)
          log.ids.delete(log.messages.shift()!.id)
        const audience = listeners.of(channel.accountKey).get(channel.personKey)
        if (audience) queueMicrotask(() => notify(audience, { ...message }, deps.log))
      }
    },

    async subscribe(channel, onMessage) {
      const account = listeners.of(channel.accountKey)
      const audience = account.get(channel.personKey) ?? new Set()
      account.set(channel.personKey, audience)
      const own: Listener = (message) => onMessage(message)
      audience.add(own)
      return async () => {
        audience.delete(own)
        if (audience.size === 0 && account.get(channel.personKey) === audience) {
          account.delete(channel.personKey)
        }
      }
    },

    async read(channel, afterOffset, limit) {
      const log = logs.of(channel.accountKey).get(channel.personKey)
      checkPosition(afterOffset, 'offset')
      checkLimit(limit)
      if (!log) return []
      expire(log, Date.now())
      return log.messages
        .filter((message) => message.offset > afterOffset)
        .slice(0, limit)
        .map((message) => ({ ...message }))
    },
  }
}

function emptyLog(): ChannelLog {
  return { lastOffset: 0, messages: [], ids: new Set(), lastAppendMs: 0 }
}

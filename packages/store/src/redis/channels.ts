/**
 * Channels in Redis: a stream per channel whose entry ids are the offsets (`7-0`), and pub/sub for those who listen now.
 *
 * An entry is kept as `<id as JSON>\n<payload>`, and published with `<offset>\n` before it.
 */
import { CHANNEL_OFFSET_TTL_MS } from '../bounds.ts'
import { checkLimit, checkPosition } from '../input.ts'
import type { ChannelEntry, ChannelMessage, ChannelStore } from '../ports.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'
import type { Subscriptions } from './subscriptions.ts'

/**
 * KEYS: the stream, the ids in it by offset, the last offset. ARGV: messages to keep, ms to keep them, ms to keep the offset, pub/sub
 * channel, then id and entry of each message. An offset that was evicted before its stream begins a new stream: a stream takes no lower ids.
 */
const APPEND = `
local appended = false
for i = 5, #ARGV, 2 do
  if not redis.call('ZSCORE', KEYS[2], ARGV[i]) then
    local offset = redis.call('INCR', KEYS[3])
    if offset == 1 then redis.call('DEL', KEYS[1], KEYS[2]) end
    redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[1], offset .. '-0', 'entry', ARGV[i + 1])
    redis.call('ZADD', KEYS[2], offset, ARGV[i])
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', offset - ARGV[1])
    redis.call('PUBLISH', ARGV[4], offset .. '\\n' .. ARGV[i + 1])
    appended = true
  end
end
if appended then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
end
`

export function createRedisChannels(
  options: { maxChannelMessages: number; channelTtlMs: number },
  deps: { connection: RedisConnection; keys: Keys; subscriptions: Subscriptions },
): ChannelStore {
  const { connection, keys, subscriptions } = deps
  const offsetTtlMs = Math.max(options.channelTtlMs, CHANNEL_OFFSET_TTL_MS)
  const append = connection.script<null>('channelAppend', 3, APPEND)

  return {
    async append(entries) {
      const appends = Map.groupBy(entries, ({ channel }) =>
        keys.channelMessages(channel.accountKey, channel.personKey),
      )
      const replies = [...appends].map(([pubSubChannel, own]) => {
        const { accountKey, personKey } = own[0]!.channel
        const { log, ids, offset } = keys.channel(accountKey, personKey)
        return append(
          [log, ids, offset],
          [
            options.maxChannelMessages,
            options.channelTtlMs,
            offsetTtlMs,
            pubSubChannel,
            ...own.flatMap((entry) => [entry.id, textOf(entry)]),
          ],
        )
      })
      await Promise.all(replies)
    },

    async subscribe({ accountKey, personKey }, onMessage, onLost) {
      return subscriptions.subscribe(
        keys.channelMessages(accountKey, personKey),
        (text) => {
          const end = text.indexOf('\n')
          onMessage(messageOf(Number(text.slice(0, end)), text.slice(end + 1)))
        },
        onLost,
      )
    },

    async read({ accountKey, personKey }, afterOffset, limit) {
      const { log } = keys.channel(accountKey, personKey)
      checkPosition(afterOffset, 'offset')
      checkLimit(limit)
      const entries = await connection.run((redis) =>
        redis.xrange(log, `${afterOffset + 1}`, '+', 'COUNT', limit),
      )
      return entries.map(([streamId, [, text = '']]) =>
        messageOf(Number.parseInt(streamId, 10), text),
      )
    },
  }
}

function textOf({ id, payload }: ChannelEntry): string {
  return `${JSON.stringify(id)}\n${payload}`
}

function messageOf(offset: number, text: string): ChannelMessage {
  const end = text.indexOf('\n')
  return { offset, id: JSON.parse(text.slice(0, end)) as string, payload: text.slice(end + 1) }
}

/**
 * Channels in Redis: a stream per channel whose entry ids are the offsets (`7-0`), a hash that says where it ends, and pub/sub for those
 * who listen now.
 *
 * An entry is kept as `<id as JSON>\n<payload>`, and published with `<epoch> <offset>\n` before it. An empty text tells that the channel
 * was forgotten.
 */
import { channelBoundsOf } from '../bounds.ts'
import { newEpoch } from '../channel-epoch.ts'
import { checkLimit, checkPosition } from '../input.ts'
import type { Channel, ChannelEntry, ChannelMessage, ChannelStore, StoreBounds } from '../ports.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'
import type { Subscriptions } from './subscriptions.ts'

/** Of every script here: KEYS is the stream, the ids in it by offset, the end, the states, their order. */
const KEY_COUNT = 5

/**
 * ARGV[1]: a new epoch, ARGV[2]: ms to keep the end. An end that was evicted before its stream begins a new stream: a stream takes no
 * lower ids.
 */
const KNOW_END = `
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[3], 'epoch', ARGV[1], 'offset', 0, 'id', '')
end
redis.call('PEXPIRE', KEYS[3], ARGV[2])
`

/**
 * ARGV[3…]: messages to keep, ms to keep them, states to keep, ms to keep them, pub/sub channel, then id, entry, state key (or nothing)
 * and state value of each message.
 */
const APPEND = `${KNOW_END}
local epoch = redis.call('HGET', KEYS[3], 'epoch')
local appended = false
for i = 8, #ARGV, 4 do
  local id, entry, key = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if not redis.call('ZSCORE', KEYS[2], id) then
    local offset = redis.call('HINCRBY', KEYS[3], 'offset', 1)
    redis.call('HSET', KEYS[3], 'id', id)
    redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[3], offset .. '-0', 'entry', entry)
    redis.call('ZADD', KEYS[2], offset, id)
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', offset - ARGV[3])
    if key ~= '' then
      local newest = redis.call('ZREVRANGE', KEYS[5], 0, 0, 'WITHSCORES')
      redis.call('HSET', KEYS[4], key, ARGV[i + 3])
      redis.call('ZADD', KEYS[5], (tonumber(newest[2]) or 0) + 1, key)
      if redis.call('ZCARD', KEYS[5]) > tonumber(ARGV[5]) then
        redis.call('HDEL', KEYS[4], redis.call('ZPOPMIN', KEYS[5])[1])
      end
      redis.call('PEXPIRE', KEYS[4], ARGV[6])
      redis.call('PEXPIRE', KEYS[5], ARGV[6])
    end
    redis.call('PUBLISH', ARGV[7], epoch .. ' ' .. offset .. '\\n' .. entry)
    appended = true
  end
end
if appended then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
end
`

/** ARGV[3…]: the first offset to read (nothing: the newest messages), how many, 1 to read the states. Returns the end, entries, states. */
const OPEN = `${KNOW_END}
local entries, states = {}, {}
if ARGV[4] ~= '0' then
  if ARGV[3] ~= '' then
    entries = redis.call('XRANGE', KEYS[1], ARGV[3], '+', 'COUNT', ARGV[4])
  else
    local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[4])
    for i = #newest, 1, -1 do entries[#entries + 1] = newest[i] end
  end
end
if ARGV[5] == '1' then
  for _, key in ipairs(redis.call('ZRANGE', KEYS[5], 0, -1)) do
    states[#states + 1] = redis.call('HGET', KEYS[4], key)
  end
end
return { redis.call('HMGET', KEYS[3], 'epoch', 'offset', 'id'), entries, states }
`

const FORGET = `
redis.call('DEL', unpack(KEYS))
redis.call('PUBLISH', ARGV[1], '')
`

type StreamEntry = [streamId: string, fields: [name: 'entry', text: string]]
type OpenReply = [
  end: [epoch: string, offset: string, id: string],
  entries: StreamEntry[],
  states: string[],
]

export function createRedisChannels(
  bounds: Required<StoreBounds>,
  deps: { connection: RedisConnection; keys: Keys; subscriptions: Subscriptions },
): ChannelStore {
  const { connection, keys, subscriptions } = deps
  const boundsOf = channelBoundsOf(bounds)
  const append = connection.script<null>('channelAppend', KEY_COUNT, APPEND)
  const open = connection.script<OpenReply>('channelOpen', KEY_COUNT, OPEN)
  const forget = connection.script<null>('channelForget', KEY_COUNT, FORGET)

  function appendTo(channel: Channel, entries: readonly ChannelEntry[]): Promise<null> {
    const { maxMessages, messageTtlMs, endTtlMs, maxStates, stateTtlMs } = boundsOf[channel.kind]
    const pubSubChannel = keys.channelMessages(channel)
    return append(keysOf(channel), [
      newEpoch(),
      endTtlMs,
      maxMessages,
      messageTtlMs,
      maxStates,
      stateTtlMs,
      pubSubChannel,
      ...entries.flatMap((entry) => [
        entry.id,
        textOf(entry),
        entry.state?.key ?? '',
        entry.state?.value ?? '',
      ]),
    ])
  }

  function keysOf(channel: Channel): string[] {
    const { log, ids, end, states, stateOrder } = keys.channel(channel)
    return [log, ids, end, states, stateOrder]
  }

  return {
    async append(entries) {
      const appends = Map.groupBy(entries, ({ channel }) => keys.channelMessages(channel))
      await Promise.all([...appends.values()].map((own) => appendTo(own[0]!.channel, own)))
    },

    async subscribe(channel, onMessage, onLost) {
      return subscriptions.subscribe(
        keys.channelMessages(channel),
        (text) => {
          if (text === '') onLost?.()
          else onMessage(publishedMessageOf(text))
        },
        onLost,
      )
    },

    async open(channel, { afterOffset, limit = 0, states = false } = {}) {
      const from = afterOffset === undefined ? '' : checkPosition(afterOffset, 'offset') + 1
      if (limit !== 0) checkLimit(limit)
      const { endTtlMs } = boundsOf[channel.kind]
      const [[epoch, offset, id], entries, values] = await open(keysOf(channel), [
        newEpoch(),
        endTtlMs,
        from,
        limit,
        states ? 1 : 0,
      ])
      return {
        end: { epoch, offset: Number(offset), id },
        messages: entries.map(([streamId, [, text]]) =>
          messageOf(epoch, Number.parseInt(streamId, 10), text),
        ),
        ...(states ? { states: values } : {}),
      }
    },

    async forget(channel) {
      await forget(keysOf(channel), [keys.channelMessages(channel)])
    },
  }
}

function textOf({ id, payload }: ChannelEntry): string {
  return `${JSON.stringify(id)}\n${payload}`
}

function publishedMessageOf(text: string): ChannelMessage {
  const space = text.indexOf(' ')
  const end = text.indexOf('\n')
  return messageOf(text.slice(0, space), Number(text.slice(space + 1, end)), text.slice(end + 1))
}

function messageOf(epoch: string, offset: number, text: string): ChannelMessage {
  const end = text.indexOf('\n')
  const id = JSON.parse(text.slice(0, end)) as string
  return { epoch, offset, id, payload: text.slice(end + 1) }
}

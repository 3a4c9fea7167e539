/**
 * Deliveries in Redis: for each listener an index by the time of recording, a hash of the deliveries and their counts; for each event a list of
 * where its deliveries are.
 */
import type { Delivery } from '@signalbox/contracts'
import { MAX_DELIVERIES_OF_EVENT, MAX_SCANNED_DELIVERIES } from '../bounds.ts'
import { countsOf, isAskedFor, isDelivered } from '../deliveries.ts'
import type { DeliveryStore } from '../ports.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'
import { FORGET, NEWEST, newestArguments, pageOfNewest, rowsOf } from './newest-first.ts'

/** Keeps a script short: Redis does nothing else meanwhile. */
const MAX_RECORDED_AT_ONCE = 64

/**
 * KEYS: index, records, forgotten, counts, then of each delivery the list of its event. ARGV: ms to keep, how many to keep, how many to keep of
 * an event, then of each delivery its id, JSON, time, `1` when it was delivered, and its place. Those recorded together keep their
 * order, a microsecond apart.
 */
const RECORD = `
local clock = redis.call('TIME')
local at = clock[1] * 1000000 + clock[2]
local arg = 4
for k = 5, #KEYS do
  local id = ARGV[arg]
  if redis.call('ZADD', KEYS[1], 'NX', at + k, id) == 1 then
    redis.call('HSET', KEYS[2], id, ARGV[arg + 1])
    if ARGV[arg + 3] == '1' then
      redis.call('HINCRBY', KEYS[4], 'delivered', 1)
      redis.call('HDEL', KEYS[4], 'failing_since')
    else
      redis.call('HINCRBY', KEYS[4], 'failed', 1)
      redis.call('HSETNX', KEYS[4], 'failing_since', ARGV[arg + 2])
    end
    redis.call('RPUSH', KEYS[k], ARGV[arg + 4])
    redis.call('LTRIM', KEYS[k], -ARGV[3], -1)
    redis.call('PEXPIRE', KEYS[k], ARGV[1])
  end
  arg = arg + 5
end
${FORGET}
return 1
`

const COUNTS = `${FORGET}
return { redis.call('GET', KEYS[3]) or '0', redis.call('HMGET', KEYS[4], 'delivered', 'failed', 'failing_since') }
`

export function createRedisDeliveries(
  { maxDeliveries, deliveryTtlMs }: { maxDeliveries: number; deliveryTtlMs: number },
  { connection, keys }: { connection: RedisConnection; keys: Keys },
): DeliveryStore {
  const bounds = [deliveryTtlMs, maxDeliveries]
  const recordScript = connection.script<number>('deliveryRecord', 'any', RECORD)
  const newestScript = connection.script<[string[], string[]]>('deliveryNewest', 3, NEWEST)
  const countsScript = connection.script<[string, (string | null)[]]>('deliveryCounts', 4, COUNTS)

  const recordTogether = async (
    accountKey: string,
    listenerId: string,
    deliveries: readonly Delivery[],
  ): Promise<void> => {
    const { index, records, forgotten, counts } = keys.deliveries(accountKey, listenerId)
    const ofEvents = deliveries.map(({ event_id }) => keys.eventDeliveries(accountKey, event_id))
    const args = deliveries.flatMap((delivery) => [
      delivery.delivery_id,
      JSON.stringify(delivery),
      delivery.at,
      isDelivered(delivery) ? 1 : 0,
      `${listenerId} ${delivery.delivery_id}`,
    ])
    await recordScript(
      [index, records, forgotten, counts, ...ofEvents],
      [...bounds, MAX_DELIVERIES_OF_EVENT, ...args],
    )
  }
  const read = async (accountKey: string, listenerId: string, deliveryId: string) => {
    const { records } = keys.deliveries(accountKey, listenerId)
    const text = await connection.run((redis) => redis.hget(records, deliveryId))
    return text === null ? undefined : parse(text)
  }

  return {
    async record(accountKey, deliveries) {
      const byListener = Map.groupBy(deliveries, ({ listener_id }) => listener_id)
      const calls = [...byListener].map(async ([listenerId, of]) => {
        for (let start = 0; start < of.length; start += MAX_RECORDED_AT_ONCE) {
          await recordTogether(
            accountKey,
            listenerId,
            of.slice(start, start + MAX_RECORDED_AT_ONCE),
          )
        }
      })
      await Promise.all(calls)
    },

    get: read,

    list(accountKey, listenerId, filter, pageOptions) {
      const { index, records, forgotten } = keys.deliveries(accountKey, listenerId)
      return pageOfNewest(
        {
          ...pageOptions,
          listing: `deliveries ${listenerId}`,
          maxScanned: MAX_SCANNED_DELIVERIES,
        },
        async (after, count) => {
          const args = [...bounds, ...newestArguments(after, count)]
          const [, flat] = await newestScript([index, records, forgotten], args)
          return rowsOf(flat)
        },
        parse,
        (delivery) => isAskedFor(delivery, filter),
      )
    },

    async ofEvent(accountKey, eventId) {
      const list = keys.eventDeliveries(accountKey, eventId)
      const places = await connection.run((redis) => redis.lrange(list, 0, -1))
      const found = await Promise.all(
        places.map((place) => {
          const [listenerId = '', deliveryId = ''] = place.split(' ', 2)
          return read(accountKey, listenerId, deliveryId)
        }),
      )
      return found.filter((delivery) => delivery !== undefined)
    },

    async counts(accountKey, listenerId) {
      const of = keys.deliveries(accountKey, listenerId)
      const [gone, [delivered, failed, failingSince]] = await countsScript(
        [of.index, of.records, of.forgotten, of.counts],
        bounds,
      )
      return countsOf({
        delivered: Number(delivered ?? 0),
        failed: Number(failed ?? 0),
        forgotten: Number(gone),
        ...(typeof failingSince === 'string' ? { failing_since: failingSince } : {}),
      })
    },

    async clearFailing(accountKey, listenerId) {
      const { counts } = keys.deliveries(accountKey, listenerId)
      await connection.run((redis) => redis.hdel(counts, 'failing_since'))
    },

    async forget(accountKey, listenerId) {
      const all = Object.values(keys.deliveries(accountKey, listenerId))
      await connection.run((redis) => redis.unlink(...all))
    },
  }
}

function parse(text: string): Delivery {
  return JSON.parse(text) as Delivery
}

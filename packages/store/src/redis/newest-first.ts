/**
 * What is kept for a time and up to a number, and listed newest first: an index (ids by the time, of Redis, in microseconds, at which they were
 * kept), a hash of what is kept, and a count of what fell off.
 */
import { checkPage, cursorOf } from '../input.ts'
import type { Page, PageOptions } from '../ports.ts'

export const CHUNK_SIZE = 500
/** In a cursor: the time and the id of the last one looked at. */
const POSITION = /^\d+ ./

/** KEYS: the index, the hash, the count of the forgotten. ARGV: ms to keep, how many to keep. Leaves the ids of what fell off in `gone`. */
export const FORGET = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1] * 1000, 'LIMIT', 0, 1000)
if #gone == 0 then
  local count = math.min(redis.call('ZCARD', KEYS[1]) - ARGV[2], 1000)
  if count > 0 then gone = redis.call('ZRANGE', KEYS[1], 0, count - 1) end
end
if #gone > 0 then
  redis.call('ZREM', KEYS[1], unpack(gone))
  redis.call('HDEL', KEYS[2], unpack(gone))
  redis.call('INCRBY', KEYS[3], #gone)
end
`

/** ARGV: … the time and id after which to begin (empty: at the newest), how many. Returns what fell off; id, time and what is kept each. */
export const NEWEST = `${FORGET}
local start = 0
if ARGV[3] ~= '' then
  local rank = redis.call('ZREVRANK', KEYS[1], ARGV[4])
  if rank then start = rank + 1 else start = redis.call('ZCOUNT', KEYS[1], ARGV[3], '+inf') end
end
local found = redis.call('ZREVRANGE', KEYS[1], start, start + ARGV[5] - 1, 'WITHSCORES')
local rows = {}
for i = 1, #found, 2 do
  rows[#rows + 1] = found[i]
  rows[#rows + 1] = found[i + 1]
  rows[#rows + 1] = redis.call('HGET', KEYS[2], found[i]) or ''
end
return { gone, rows }
`

export interface Row {
  position: string
  text: string
}

/** The arguments of `NEWEST` after the bounds. */
export function newestArguments(after: string, count: number): (string | number)[] {
  const [time = '', id = ''] = after.split(' ', 2)
  return [time, id, count]
}

/** What `NEWEST` returned, without what was gone by then. */
export function rowsOf(flat: readonly string[]): Row[] {
  const rows: Row[] = []
  for (let index = 0; index + 2 < flat.length; index += 3) {
    const [found, at, text] = [flat[index]!, flat[index + 1]!, flat[index + 2]!]
    if (text !== '') rows.push({ position: `${at} ${found}`, text })
  }
  return rows
}

/** A page of what `isAskedFor`, read in chunks; short when `maxScanned` were looked through. */
export async function pageOfNewest<Item>(
  { listing, maxScanned, ...pageOptions }: PageOptions & { listing: string; maxScanned: number },
  newest: (after: string, count: number) => Promise<Row[]>,
  read: (text: string) => Item,
  isAskedFor: (item: Item) => boolean,
): Promise<Page<Item>> {
  const { limit, after = '' } = checkPage(listing, pageOptions, POSITION)
  const items: Item[] = []
  let position = after
  for (let scanned = 0; scanned < maxScanned; scanned += CHUNK_SIZE) {
    const rows = await newest(position, CHUNK_SIZE)
    for (const row of rows) {
      if (items.length === limit) return { items, next: cursorOf(listing, position) }
      position = row.position
      const item = read(row.text)
      if (isAskedFor(item)) items.push(item)
    }
    if (rows.length < CHUNK_SIZE) return { items }
  }
  return { items, next: cursorOf(listing, position) }
}

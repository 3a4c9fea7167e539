/**
 * What is written about events in Redis: how far the work on them is, and the facts of their biographies. What is written in one turn of
 * the event loop for one account is one script call, and each entry of it is one atomic step: work is begun, or done, together with what is
 * told of it.
 *
 * - Progress is a hash per event, of its pieces of work. The first character of a value says how far the work is (`?` begun, `=` done); the
 *   plan or the outcome follows as JSON. A list has the events in the order in which work on them began.
 * - A biography is a list per event, of lists of facts as JSON, as they were told; who reads it leaves out what was told twice. An index has the
 *   account's events by the time (of Redis, in microseconds) at which their `received` fact was told. Facts without one are not in
 *   the index, and live for an hour only: it comes late, or the event was forgotten.
 */
import type { BiographyFact } from '@signalbox/contracts'
import { ORPHAN_FACTS_TTL_MS } from '../bounds.ts'
import type { StoreBounds } from '../ports.ts'
import type { RedisConnection } from './connection.ts'
import { gathered } from './gathering.ts'
import type { Keys } from './keys.ts'
import { createPacing } from './pacing.ts'

/** How a value of a piece of work begins. */
export const BEGUN = '?'
export const DONE = '='
/** Written as done, unless the work was begun before. */
export const DONE_IF_NEW = '!'

/** Progress is kept a little longer than asked, so that not every change has to move its end. */
const PROGRESS_SLACK = 1.1
/** It is moved before it has to be: what was begun is finished within the difference. */
const PROGRESS_RENEWAL = 1.05

/** KEYS: the index, the count of the forgotten. ARGV: ms to keep, biographies to keep. Leaves what fell off in `excess`. */
export const FORGET_BIOGRAPHIES = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local expired = redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1] * 1000)
local count = math.min(redis.call('ZCARD', KEYS[1]) - ARGV[2], 1000)
local excess = {}
if count > 0 then
  local popped = redis.call('ZPOPMIN', KEYS[1], count)
  for i = 1, #popped, 2 do excess[#excess + 1] = popped[i] end
end
if expired + #excess > 0 then redis.call('INCRBY', KEYS[2], expired + #excess) end
`

/**
 * KEYS[3]: the events with progress; then of each entry its progress and its biography. ARGV[3]: ms to keep facts without an event, ms of
 * progress left at which to keep it anew, ms to keep it, events with progress to keep, how long a progress key is before its event_id, `1` when it is time to
 * forget; then of each entry its work (empty: facts only), the work's value, `1` when it has the `received` fact, its facts as a JSON list
 * (empty: none). Events that are received together keep their order, a microsecond apart. Returns for each entry the value that its work had
 * before, unless that did not matter; the events whose biographies fell off; the events whose progress is too much.
 *
 * What costs is each call: so what is done for the first time with a `received` fact is taken for the first work on its event (where it is not,
 * the event is among those with progress twice), and what was begun is finished without a look at how long it is kept, which was seen to when it was begun a moment ago.
 */
const WRITE = `
local call, ttl = redis.call, tonumber(ARGV[4])
local known, fresh, received, at = {}, {}, {}, 9
for k = 4, #KEYS, 2 do
  local entry, work, value, isReceived, facts = k / 2 - 1, ARGV[at], ARGV[at + 1], ARGV[at + 2] == '1', ARGV[at + 3]
  known[entry] = false
  if work ~= '' then
    local kind, isBeginning = string.byte(value), true
    if kind == 61 then
      isBeginning = call('HSET', KEYS[k], work, value) == 1
    else
      if kind == 33 then value = '=' .. string.sub(value, 2) end
      if call('HSETNX', KEYS[k], work, value) == 0 then
        known[entry] = call('HGET', KEYS[k], work)
        isBeginning = string.byte(known[entry]) == 63
      end
    end
    if isBeginning then
      local left = isReceived and -1 or call('PTTL', KEYS[k])
      if left < 0 then fresh[#fresh + 1] = string.sub(KEYS[k], ARGV[7] + 1) end
      if left < ttl then call('PEXPIRE', KEYS[k], ARGV[5]) end
    end
  end
  if facts ~= '' and not known[entry] then
    local length = call('RPUSH', KEYS[k + 1], facts)
    if isReceived then
      received[#received + 1] = k
      call('PEXPIRE', KEYS[k + 1], ARGV[1])
    elseif length == 1 then
      call('PEXPIRE', KEYS[k + 1], ARGV[3])
    end
  end
  at = at + 4
end
if #received > 0 then
  local time = call('TIME')
  local now, members = time[1] * 1000000 + time[2], {}
  for i, k in ipairs(received) do
    members[2 * i - 1] = now + i
    members[2 * i] = string.sub(KEYS[k], ARGV[7] + 1)
  end
  call('ZADD', KEYS[1], 'NX', unpack(members))
end
local excess, oldest = {}, {}
if #fresh > 0 then
  local count = call('RPUSH', KEYS[3], unpack(fresh))
  if count == #fresh or ARGV[8] == '1' then call('PEXPIRE', KEYS[3], ARGV[5]) end
  if count > tonumber(ARGV[6]) then oldest = call('LPOP', KEYS[3], math.min(count - ARGV[6], 1000)) end
end
if ARGV[8] == '1' then
  excess = (function() ${FORGET_BIOGRAPHIES} return excess end)()
end
return { known, excess, oldest }
`

/**
 * KEYS: the events with progress, the count of the forgotten, the progress of each event that is too much. ARGV: ms to keep progress, the
 * event_ids. What is begun and not done stays, as the youngest. Returns how many fell off.
 */
const DROP_PROGRESS = `
local dropped = 0
for k = 3, #KEYS do
  local isBegun = false
  for _, value in ipairs(redis.call('HVALS', KEYS[k])) do
    if string.byte(value) == 63 then isBegun = true end
  end
  if isBegun then
    redis.call('RPUSH', KEYS[1], ARGV[k - 1])
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
  else
    dropped = dropped + redis.call('UNLINK', KEYS[k])
  end
end
if dropped > 0 then redis.call('INCRBY', KEYS[2], dropped) end
return dropped
`

export interface ChronicleEntry {
  eventId: string
  /** A piece of work and its value: `BEGUN` and the plan, or `DONE` or `DONE_IF_NEW` and the outcome. Absent: only facts are told. */
  work?: string
  value?: string
  /** Told unless the value was not written. */
  facts: readonly BiographyFact[]
}

export interface Chronicle {
  /** Resolves to the value that the work had before, when that kept this one from being written; else to null. */
  write(accountKey: string, entry: ChronicleEntry): Promise<string | null>
  /** Removes the biographies of events that are no longer in the index. Goes on in the background; what fails ends by its time. */
  dropFacts(accountKey: string, eventIds: readonly string[]): void
}

export type ChronicleBounds = Required<
  Pick<StoreBounds, 'maxBiographies' | 'biographyTtlMs' | 'maxProgress' | 'progressTtlMs'>
>

export interface ChronicleDeps {
  connection: RedisConnection
  keys: Keys
  /** Told how many events' progress fell off before its time. */
  onProgressForgotten(accountKey: string, count: number): void
}

export function createChronicle(bounds: ChronicleBounds, deps: ChronicleDeps): Chronicle {
  const { connection, keys, onProgressForgotten } = deps
  const { biographyTtlMs, maxBiographies, progressTtlMs, maxProgress } = bounds
  const longestProgressMs = Math.ceil(progressTtlMs * PROGRESS_SLACK)
  const limits = [
    biographyTtlMs,
    maxBiographies,
    Math.min(biographyTtlMs, ORPHAN_FACTS_TTL_MS),
    Math.ceil(progressTtlMs * PROGRESS_RENEWAL),
    longestProgressMs,
    maxProgress,
  ]
  type Written = [known: (string | null)[], excess: string[], oldest: string[]]
  const writeScript = connection.script<Written>('chronicleWrite', 'any', WRITE)
  const dropScript = connection.script<number>('chronicleDropProgress', 'any', DROP_PROGRESS)

  const isTimeToForget = createPacing()

  const write = gathered<ChronicleEntry, string | null>(async (accountKey, entries) => {
    const index = keys.biographies(accountKey)
    const scriptKeys = [index.events, index.forgotten, keys.progressOf(accountKey).events]
    const args: (string | number)[] = [
      ...limits,
      keys.progress(accountKey, '').length,
      isTimeToForget(accountKey, entries.length) ? 1 : 0,
    ]
    for (const { eventId, work = '', value = '', facts } of entries) {
      scriptKeys.push(keys.progress(accountKey, eventId), keys.biography(accountKey, eventId))
      const told = facts.length === 0 ? '' : JSON.stringify(facts)
      args.push(work, value, facts.some(isReceived) ? 1 : 0, told)
    }
    const [known, excess, oldest] = await writeScript(scriptKeys, args)
    dropFacts(accountKey, excess)
    if (oldest.length > 0) void dropProgress(accountKey, oldest).catch(endsByItsTime)
    return known
  })

  async function dropProgress(accountKey: string, eventIds: readonly string[]): Promise<void> {
    const { events, forgotten } = keys.progressOf(accountKey)
    const progress = eventIds.map((eventId) => keys.progress(accountKey, eventId))
    const dropped = await dropScript(
      [events, forgotten, ...progress],
      [longestProgressMs, ...eventIds],
    )
    if (dropped > 0) onProgressForgotten(accountKey, dropped)
  }

  function dropFacts(accountKey: string, eventIds: readonly string[]): void {
    if (eventIds.length === 0) return
    const facts = eventIds.map((eventId) => keys.biography(accountKey, eventId))
    connection.run((redis) => redis.unlink(...facts)).catch(endsByItsTime)
  }

  return { write, dropFacts }
}

function isReceived({ fact }: BiographyFact): boolean {
  return fact === 'received'
}

/** What could not be removed is removed by Redis, when its time is over. */
function endsByItsTime(): void {}

/** A page of a hash whose keys are also in a sorted set, all at score 0, and so in the order of their bytes. */
import type { RedisConnection } from './connection.ts'

/** KEYS: the sorted set, the hash. ARGV: the lower end, the count. */
const PAGE = `
local ids = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])
if #ids == 0 then return { {}, {} } end
return { ids, redis.call('HMGET', KEYS[2], unpack(ids)) }
`

export type ReadPage = (
  sortedSet: string,
  hash: string,
  after: string | undefined,
  count: number,
) => Promise<[key: string, value: string][]>

export function definePageScript(connection: RedisConnection, name: string): ReadPage {
  const script = connection.script<[string[], (string | null)[]]>(name, 2, PAGE)
  return async (sortedSet, hash, after, count) => {
    const [ids, values] = await script([sortedSet, hash], [lowerEnd(after), count])
    return ids.flatMap((id, index) => {
      const value = values[index]
      return typeof value === 'string' ? [[id, value]] : []
    })
  }
}

/** As ZRANGEBYLEX wants it. */
export function lowerEnd(after: string | undefined): string {
  return after === undefined ? '-' : `(${after}`
}

/** Redis sends maps and scored members as flat lists. */
export function pairsOf(flat: readonly string[]): [string, string][] {
  const pairs: [string, string][] = []
  for (let index = 0; index + 1 < flat.length; index += 2) {
    pairs.push([flat[index]!, flat[index + 1]!])
  }
  return pairs
}

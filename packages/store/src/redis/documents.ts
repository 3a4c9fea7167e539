/** Documents in Redis: a hash per collection, key to `<revision> <value as JSON>`. */
import type { Json } from '@signalbox/contracts'
import { documentConflict, tooMany } from '../conflicts.ts'
import { checkPage } from '../input.ts'
import { pageOf } from '../paging.ts'
import type { DocumentStore, StoredDocument } from '../ports.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'
import { definePageScript } from './page-script.ts'

/**
 * ARGV: key, value, expected revision (empty: any), the most documents. Returns whether it was kept (-1: it would be one too many), and the
 * revision that was or is there.
 */
const PUT = `
local current = redis.call('HGET', KEYS[1], ARGV[1])
local found = 0
if current then found = tonumber(string.match(current, '^%d+')) end
if ARGV[3] ~= '' and tonumber(ARGV[3]) ~= found then return { 0, found } end
if not current and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return { -1, 0 } end
redis.call('HSET', KEYS[1], ARGV[1], (found + 1) .. ' ' .. ARGV[2])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return { 1, found + 1 }
`

/** ARGV: key, expected revision (empty: any). Returns whether it was deleted, and the revision that was there; 0: none. */
const DELETE = `
local current = redis.call('HGET', KEYS[1], ARGV[1])
if not current then return { 0, 0 } end
local found = tonumber(string.match(current, '^%d+'))
if ARGV[2] ~= '' and tonumber(ARGV[2]) ~= found then return { 0, found } end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
return { 1, found }
`

export function createRedisDocuments(
  { maxDocuments }: { maxDocuments: number },
  deps: { connection: RedisConnection; keys: Keys },
): DocumentStore {
  const { connection, keys } = deps
  const putScript = connection.script<[number, number]>('documentPut', 2, PUT)
  const deleteScript = connection.script<[number, number]>('documentDelete', 2, DELETE)
  const pageScript = definePageScript(connection, 'documentPage')

  return {
    async get(accountKey, collection, key) {
      const { documents } = keys.documents(accountKey, collection)
      const text = await connection.run((redis) => redis.hget(documents, key))
      return text === null ? undefined : documentOf(text)
    },

    async put(accountKey, collection, key, value, { expectedRevision } = {}) {
      const { documents, documentKeys } = keys.documents(accountKey, collection)
      const json = JSON.stringify(value)
      const args = [key, json, expectedRevision ?? '', maxDocuments]
      const [isKept, revision] = await putScript([documents, documentKeys], args)
      if (isKept === -1) throw tooMany(`documents in ${collection}`, maxDocuments)
      if (isKept === 0) throw documentConflict(collection, key, expectedRevision ?? 0, revision)
      return { value: JSON.parse(json) as Json, revision }
    },

    async delete(accountKey, collection, key, { expectedRevision } = {}) {
      const { documents, documentKeys } = keys.documents(accountKey, collection)
      const args = [key, expectedRevision ?? '']
      const [isDeleted, revision] = await deleteScript([documents, documentKeys], args)
      if (isDeleted === 0 && revision > 0) {
        throw documentConflict(collection, key, expectedRevision ?? 0, revision)
      }
      return isDeleted === 1
    },

    async list(accountKey, collection, options) {
      const { documents, documentKeys } = keys.documents(accountKey, collection)
      const listing = `documents ${collection}`
      const { limit, after } = checkPage(listing, options)
      const rows = await pageScript(documentKeys, documents, after, limit + 1)
      return pageOf(listing, limit, rows, (text, key) => ({ key, ...documentOf(text) }))
    },
  }
}

function documentOf(text: string): StoredDocument {
  const space = text.indexOf(' ')
  return {
    value: JSON.parse(text.slice(space + 1)) as Json,
    revision: Number(text.slice(0, space)),
  }
}

/** Documents in memory. */
import type { Json } from '@signalbox/contracts'
import { documentConflict, tooMany } from '../conflicts.ts'
import { checkPage } from '../input.ts'
import { pageOf } from '../paging.ts'
import type { DocumentStore, StoredDocument } from '../ports.ts'
import { Accounts, type MemoryLifetime } from './accounts.ts'
import { SortedMap } from './sorted-map.ts'

interface KeptDocument {
  /** JSON text. */
  value: string
  revision: number
}

export function createMemoryDocuments(
  { maxDocuments }: { maxDocuments: number },
  { lifetime }: { lifetime: MemoryLifetime },
): DocumentStore {
  const accounts = new Accounts(lifetime, () => new Map<string, SortedMap<KeptDocument>>())
  const collectionOf = (accountKey: string, collection: string) => {
    const collections = accounts.of(accountKey)
    const documents = collections.get(collection) ?? new SortedMap<KeptDocument>()
    collections.set(collection, documents)
    return documents
  }

  return {
    async get(accountKey, collection, key) {
      const kept = collectionOf(accountKey, collection).get(key)
      return kept && documentOf(kept)
    },

    async put(accountKey, collection, key, value, { expectedRevision } = {}) {
      const documents = collectionOf(accountKey, collection)
      const foundRevision = documents.get(key)?.revision ?? 0
      if (expectedRevision !== undefined && expectedRevision !== foundRevision) {
        throw documentConflict(collection, key, expectedRevision, foundRevision)
      }
      if (foundRevision === 0 && documents.size >= maxDocuments) {
        throw tooMany(`documents in ${collection}`, maxDocuments)
      }
      const kept = { value: JSON.stringify(value), revision: foundRevision + 1 }
      documents.set(key, kept)
      return documentOf(kept)
    },

    async delete(accountKey, collection, key, { expectedRevision } = {}) {
      const documents = collectionOf(accountKey, collection)
      const foundRevision = documents.get(key)?.revision
      if (foundRevision === undefined) return false
      if (expectedRevision !== undefined && expectedRevision !== foundRevision) {
        throw documentConflict(collection, key, expectedRevision, foundRevision)
      }
      return documents.delete(key)
    },

    async list(accountKey, collection, options) {
      const documents = collectionOf(accountKey, collection)
      const listing = `documents ${collection}`
      const { limit, after } = checkPage(listing, options)
      const rows = documents.entriesAfter(after, limit + 1)
      return pageOf(listing, limit, rows, (kept, key) => ({ key, ...documentOf(kept) }))
    },
  }
}

function documentOf({ value, revision }: KeptDocument): StoredDocument {
  return { value: JSON.parse(value) as Json, revision }
}

/** Changing a document that somebody else may change at the same time: read, change, save if it is still the same. */
import type { Json } from '@signalbox/contracts'
import { backoffDelayMs, ConflictError, delay, UnavailableError } from '@signalbox/kit'
import type { Store } from '@signalbox/store'
import type { z } from 'zod'

/** More writers than this at once on one document are a fault, not a coincidence. */
const MAX_TRIES = 25

export interface DocumentPlace<Value extends Json> {
  documents: Pick<Store['documents'], 'get' | 'put'>
  accountKey: string
  collection: string
  key: string
  schema: z.ZodType<Value>
}

export async function readDocument<Value extends Json>(
  place: DocumentPlace<Value>,
): Promise<{ value: Value | undefined; revision: number }> {
  const stored = await place.documents.get(place.accountKey, place.collection, place.key)
  return stored
    ? { value: place.schema.parse(stored.value), revision: stored.revision }
    : { value: undefined, revision: 0 }
}

/**
 * Saves what `next` makes of the present value, and gives it; the same value again saves nothing. When somebody else was
 * faster, `next` is called again with their value. Throws `UnavailableError` after 25 tries.
 */
export async function reviseDocument<Value extends Json, Next extends Value | undefined>(
  place: DocumentPlace<Value>,
  next: (value: Value | undefined) => Next | Promise<Next>,
): Promise<Next> {
  for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
    const { value, revision } = await readDocument(place)
    const revised = await next(value)
    if (revised === undefined || revised === value) return revised
    try {
      await place.documents.put(place.accountKey, place.collection, place.key, revised, {
        expectedRevision: revision,
      })
      return revised
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error
    }
    await delay(backoffDelayMs(attempt, { initialDelayMs: 2, maxDelayMs: 100 }))
  }
  throw new UnavailableError(`too many are changing ${place.collection}/${place.key} at once`)
}

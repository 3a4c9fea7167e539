/** What callers may pass: account keys, limits and cursors, checked before anything is looked up. */
import { nameSchema } from '@signalbox/contracts'
import { InvalidInputError } from '@signalbox/kit'
import type { PageOptions } from './ports.ts'

const MAX_LIMIT = 1_000
const DEFAULT_LIMIT = 100

/** The account is the tenant's boundary and becomes part of every key, so nothing but a name passes. */
export function checkAccountKey(accountKey: string): string {
  if (nameSchema.safeParse(accountKey).success) return accountKey
  throw invalid('account_key', 'must be 1 to 64 characters of A-Z a-z 0-9 _ -')
}

/** 1 to 1,000. */
export function checkLimit(limit: number = DEFAULT_LIMIT): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit
  throw invalid('limit', `must be an integer from 1 to ${MAX_LIMIT}`)
}

/** An integer from 0: a revision or an offset. */
export function checkPosition(position: number, name: 'revision' | 'offset'): number {
  if (Number.isSafeInteger(position) && position >= 0) return position
  throw invalid(name, 'must be an integer from 0')
}

/** Where a page begins: after `after`; undefined: at the beginning. */
export interface PageStart {
  limit: number
  after: string | undefined
}

/** `listing` names what is listed: a cursor of another listing, or one whose position is not such as `position`, is refused. */
export function checkPage(
  listing: string,
  options: PageOptions = {},
  position: RegExp = /^/,
): PageStart {
  const limit = checkLimit(options.limit)
  if (options.cursor === undefined) return { limit, after: undefined }
  const text = Buffer.from(options.cursor, 'base64url').toString()
  const after = text.slice(listing.length + 1)
  const isOurs = cursorOf(listing, after) === options.cursor && position.test(after)
  if (!isOurs) throw invalid('cursor', 'is not a cursor of this listing')
  return { limit, after }
}

export function cursorOf(listing: string, position: string): string {
  return Buffer.from(`${listing}\n${position}`).toString('base64url')
}

function invalid(path: string, message: string): InvalidInputError {
  return new InvalidInputError(`${path} ${message}`, { details: [{ path, message }] })
}

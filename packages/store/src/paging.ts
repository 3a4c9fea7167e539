/** Pages of a listing that is in the order of its keys. */
import { cursorOf } from './input.ts'
import type { Page } from './ports.ts'

/** Of `limit + 1` rows read, the last only tells that there is more. */
export function pageOf<Row, Item>(
  listing: string,
  limit: number,
  rows: readonly (readonly [key: string, row: Row])[],
  toItem: (row: Row, key: string) => Item,
): Page<Item> {
  const shown = rows.slice(0, limit)
  const items = shown.map(([key, row]) => toItem(row, key))
  const last = shown.at(-1)
  return rows.length > limit && last ? { items, next: cursorOf(listing, last[0]) } : { items }
}

/** Pages of what is kept in the order in which it came, newest first. */
import { checkPage, cursorOf } from '../input.ts'
import type { Page, PageOptions } from '../ports.ts'

/** In a cursor: the sequence of the last one looked at. */
const POSITION = /^\d+$/

/** `kept` is oldest first; `sequence` counts what came. A page is short when `maxScanned` were looked through. */
export function pageOfNewest<Kept extends { sequence: number }, Item>(
  { listing, maxScanned, ...pageOptions }: PageOptions & { listing: string; maxScanned: number },
  kept: Iterable<Kept>,
  read: (kept: Kept) => Item,
  isAskedFor: (item: Item) => boolean,
): Page<Item> {
  const { limit, after } = checkPage(listing, pageOptions, POSITION)
  const before = after === undefined ? Number.POSITIVE_INFINITY : Number(after)
  const newestFirst = [...kept].reverse().filter(({ sequence }) => sequence < before)
  const items: Item[] = []
  for (const [scanned, one] of newestFirst.entries()) {
    if (items.length === limit || scanned === maxScanned) {
      return { items, next: cursorOf(listing, String(one.sequence + 1)) }
    }
    const item = read(one)
    if (isAskedFor(item)) items.push(item)
  }
  return { items }
}

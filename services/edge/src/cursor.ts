/**
 * Cursors: how far a client has come in a channel, as text that it keeps and gives back. `<epoch>.<offset>.<mark>`: the mark is a short
 * hash of the id of the message at that offset, so that a log which lost its newest part and grew again is not taken for the same.
 */
import { createHash } from 'node:crypto'
import { MAX_CURSOR_CHARS } from '@signalbox/contracts'
import type { ChannelPosition, ChannelView } from '@signalbox/store'

/** A cursor that a client gave back. */
export interface Cursor {
  epoch: string
  offset: number
  mark: string
}

/** 36 bits: what one client could be shown wrongly needs a lost log, the same offset and the same mark. */
const MARK_CHARS = 6
const NO_MARK = '0'
const SHAPE = /^([A-Za-z0-9_-]{1,64})\.(0|[1-9][0-9]{0,14})\.([A-Za-z0-9_-]{1,16})$/

export function cursorOf(position: ChannelPosition): string {
  return cursorText(asCursor(position))
}

export function cursorText({ epoch, offset, mark }: Cursor): string {
  return `${epoch}.${offset}.${mark}`
}

/** Undefined: it is no cursor. */
export function parseCursor(text: string): Cursor | undefined {
  if (text.length > MAX_CURSOR_CHARS) return undefined
  const [, epoch, offset, mark] = SHAPE.exec(text) ?? []
  if (epoch === undefined || offset === undefined || mark === undefined) return undefined
  return { epoch, offset: Number(offset), mark }
}

/** Whether the cursor was made of this position. */
export function isAt(cursor: Cursor, { epoch, offset, id }: ChannelPosition): boolean {
  return cursor.epoch === epoch && cursor.offset === offset && cursor.mark === markOf(offset, id)
}

/** What must be read to see what follows a cursor: from the message at it, by which it is known again. */
export function offsetBefore({ offset }: { offset: number }): number {
  return Math.max(0, offset - 1)
}

/**
 * The messages of the view that follow the cursor. Undefined when it cannot be said that none is missing: another epoch, a log that lost
 * its newest part, or one that no longer has the message at the cursor. The view was read from `offsetBefore`.
 */
export function following(
  cursor: Cursor,
  { end, messages }: ChannelView,
): ChannelView['messages'] | undefined {
  if (isAt(cursor, end)) return []
  const [first] = messages
  if (first === undefined) return undefined
  if (cursor.offset === 0) {
    const isStart = first.epoch === cursor.epoch && first.offset === 1 && cursor.mark === NO_MARK
    return isStart ? messages : undefined
  }
  return isAt(cursor, first) ? messages.slice(1) : undefined
}

/** A position as a cursor: for those who look for what follows it themselves. */
export function asCursor({ epoch, offset, id }: ChannelPosition): Cursor {
  return { epoch, offset, mark: markOf(offset, id) }
}

function markOf(offset: number, id: string): string {
  if (offset === 0) return NO_MARK
  return createHash('sha256').update(id).digest('base64url').slice(0, MARK_CHARS)
}

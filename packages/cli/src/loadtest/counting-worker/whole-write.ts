/**
 * Writing a text whole, before anything else happens.
 *
 * n.b. standard output is a pipe that refuses (`EAGAIN`) or takes a part when its reader is behind: what a busy reader has not come to yet must
 * not read as a failure of the handler.
 */

export interface WholeWriteDeps {
  /** As `fs.writeSync`: how many bytes it took. */
  write(bytes: Uint8Array): number
  /** Blocks for a moment. */
  pause(): void
}

/** Throws what `write` throws, but for `EAGAIN`. */
export function writeWhole(text: string, { write, pause }: WholeWriteDeps): void {
  let left: Uint8Array = Buffer.from(text)
  while (left.length > 0) {
    try {
      left = left.subarray(write(left))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      pause()
    }
  }
}

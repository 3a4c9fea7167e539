/** Writes to a socket that leave together: each write of its own is a system call here, and a packet that wakes whoever reads. */
import type { Writable } from 'node:stream'

const corked = new WeakSet<Writable>()

/** What is written to the stream before the event loop goes on leaves in one write. To be called before writing; again does no harm. */
export function gatherWrites(stream: Writable): void {
  if (corked.has(stream)) return
  corked.add(stream)
  stream.cork()
  process.nextTick(() => {
    corked.delete(stream)
    stream.uncork()
  })
}

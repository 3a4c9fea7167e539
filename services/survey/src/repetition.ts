/** Doing something again and again, one time after the other, until disposed of. */
import { delay, type Log } from '@signalbox/kit'

export interface RepetitionOptions {
  /** Milliseconds between the end of one time and the beginning of the next; the first begins at once. */
  everyMs: number
  /** As the log calls a time that failed: `outbox.scan`. */
  name: string
}

/** Disposing waits for the time that is under way. A failed time is logged; the next one comes all the same. */
export function repeat(
  { everyMs, name }: RepetitionOptions,
  work: () => Promise<unknown>,
  { log }: { log: Log },
): AsyncDisposable {
  const ending = new AbortController()
  const run = async () => {
    while (!ending.signal.aborted) {
      try {
        await work()
      } catch (error) {
        log.warn({ err: error }, `${name}.failed`)
      }
      await delay(everyMs, ending.signal)
    }
  }
  const running = run()
  return {
    async [Symbol.asyncDispose]() {
      ending.abort()
      await running
    },
  }
}

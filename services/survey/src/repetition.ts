/** Doing something again and again, one time after the other, until disposed of. */
import { delay, type Log } from '@signalbox/kit'

export interface RepetitionOptions {
  /** Milliseconds between the end of one time and the beginning of the next; the first begins at once. */
  everyMs: number
  /** As the log calls a time that failed: `outbox.scan`. */
  name: string
}

/** Disposing waits for the time that is under way. Of a series of failed times the first is logged; the next one comes all the same. */
export function repeat(
  { everyMs, name }: RepetitionOptions,
  work: () => Promise<unknown>,
  { log }: { log: Log },
): AsyncDisposable {
  const ending = new AbortController()
  let failures = 0
  const run = async () => {
    while (!ending.signal.aborted) {
      try {
        await work()
        if (failures > 0) log.info({ failures }, `${name}.recovered`)
        failures = 0
      } catch (error) {
        if (failures === 0) log.warn({ err: error }, `${name}.failed`)
        failures += 1
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

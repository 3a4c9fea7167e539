/** Waiting for the end of something that may never come. */
import { delay } from '@signalbox/kit'

/** Resolves when the work has ended, either way, or `timeoutMs` have passed, or `signal` aborts. */
export async function atMost(
  work: Promise<unknown>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const ended = new AbortController()
  const end = (): void => ended.abort()
  work.then(end, end)
  await delay(timeoutMs, signal ? AbortSignal.any([ended.signal, signal]) : ended.signal)
}

/** Waiting for a condition with a deadline: the only kind of waiting that tests do. */
import { setTimeout as sleep } from 'node:timers/promises'

export interface WaitOptions {
  /** What is waited for, as it should read in "waited 10,000 ms for …". */
  what: string
  /** Default 10,000 ms. */
  timeoutMs?: number
  /** Between two tries; default 20 ms. */
  intervalMs?: number
}

type Truthy<T> = Exclude<T, false | 0 | '' | null | undefined>

/**
 * Resolves with the condition's first truthy value. Throws, naming `what`, when there was none in time; the `cause` is what
 * the condition threw last, because a condition that throws counts as not met yet. A condition that hangs is given up too.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { what, timeoutMs = 10_000, intervalMs = 20 }: WaitOptions,
): Promise<Truthy<T>> {
  const deadline = AbortSignal.timeout(timeoutMs)
  const expired = new Promise<never>((_resolve, reject) =>
    deadline.addEventListener('abort', () => reject(deadline.reason), { once: true }),
  )
  expired.catch(() => undefined)

  let lastError: unknown
  while (!deadline.aborted) {
    try {
      const value = await Promise.race([condition(), expired])
      if (value) return value as Truthy<T>
      lastError = undefined
    } catch (error) {
      if (error !== deadline.reason) lastError = error
    }
    await Promise.race([sleep(intervalMs), expired]).catch(() => undefined)
  }
  const because = lastError instanceof Error ? `: ${lastError.message}` : ''
  throw new Error(
    `waited ${timeoutMs.toLocaleString('en')} ms for ${what}${because}`,
    lastError === undefined ? undefined : { cause: lastError },
  )
}

/** Waiting for a condition with a deadline: the only kind of waiting that tests and starters do. */
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
  let lastError: unknown
  const attempt = async () => {
    try {
      const value = await condition()
      lastError = undefined
      return value
    } catch (error) {
      lastError = error
      return undefined
    }
  }

  let expired = false
  const expiry = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => {
    expired = true
    expiry.resolve(undefined)
  }, timeoutMs)
  try {
    while (!expired) {
      const value = await Promise.race([attempt(), expiry.promise])
      if (value) return value as Truthy<T>
      await Promise.race([sleep(intervalMs), expiry.promise])
    }
  } finally {
    clearTimeout(timer)
  }
  const because = lastError instanceof Error ? `: ${lastError.message}` : ''
  throw new Error(
    `waited ${timeoutMs.toLocaleString('en')} ms for ${what}${because}`,
    lastError === undefined ? undefined : { cause: lastError },
  )
}

/** When what is too much is looked for: not at each write, which would cost more than the write. */

const MAX_WRITES = 64
const MAX_DELAY_MS = 1_000
/** Accounts whose turn is known; who is not known has it. */
const MAX_ACCOUNTS = 5_000

/**
 * True for an account's first writes, and again after 64 more, or with the next after a second. `now` tells milliseconds that only rise.
 */
export function createPacing(
  now: () => number = () => performance.now(),
): (accountKey: string, writes: number) => boolean {
  const accounts = new Map<string, { writes: number; sinceMs: number }>()

  return (accountKey, writes) => {
    const account = accounts.get(accountKey)
    if (account) {
      account.writes += writes
      if (account.writes < MAX_WRITES && now() - account.sinceMs < MAX_DELAY_MS) return false
    }
    if (accounts.size >= MAX_ACCOUNTS) accounts.clear()
    accounts.set(accountKey, { writes: 0, sinceMs: now() })
    return true
  }
}

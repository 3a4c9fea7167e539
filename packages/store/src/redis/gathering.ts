/**
 * Calls that gather: those of one turn of the event loop for one account become one command, and so do those that come while earlier
 * commands of the account are unanswered. Most of what a small write costs, here and in Redis, it costs per command; and who is alone
 * waits for nobody.
 */

/** Keeps a script short: Redis does nothing else meanwhile. */
const MAX_CALLS = 64
/** Commands of an account while its calls gather; what is enough for a full command does not wait. */
const MAX_UNANSWERED = 2

interface Waiting<Call, Reply> {
  call: Call
  resolve(reply: Reply): void
  reject(error: unknown): void
}

interface Gathering<Call, Reply> {
  waiting: Waiting<Call, Reply>[]
  unanswered: number
}

/** `execute` resolves to a reply for each call, in their order; when it rejects all of them have failed. */
export function gathered<Call, Reply>(
  execute: (accountKey: string, calls: readonly Call[]) => Promise<readonly Reply[]>,
): (accountKey: string, call: Call) => Promise<Reply> {
  const byAccount = new Map<string, Gathering<Call, Reply>>()

  return (accountKey, call) => {
    let gathering = byAccount.get(accountKey)
    if (!gathering) {
      gathering = { waiting: [], unanswered: 0 }
      byAccount.set(accountKey, gathering)
    }
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    const count = gathering.waiting.push({ call, resolve, reject })
    if (count === 1 || count === MAX_CALLS) setImmediate(flush, accountKey, gathering)
    return promise
  }

  function flush(accountKey: string, gathering: Gathering<Call, Reply>): void {
    const { waiting } = gathering
    while (
      waiting.length >= MAX_CALLS ||
      (waiting.length > 0 && gathering.unanswered < MAX_UNANSWERED)
    ) {
      gathering.unanswered += 1
      void settle(accountKey, waiting.splice(0, MAX_CALLS)).then(() => {
        gathering.unanswered -= 1
        flush(accountKey, gathering)
      })
    }
    if (waiting.length + gathering.unanswered > 0) return
    if (byAccount.get(accountKey) === gathering) byAccount.delete(accountKey)
  }

  async function settle(accountKey: string, calls: readonly Waiting<Call, Reply>[]): Promise<void> {
    try {
      const replies = await execute(
        accountKey,
        calls.map(({ call }) => call),
      )
      for (const [index, { resolve }] of calls.entries()) resolve(replies[index]!)
    } catch (error) {
      for (const { reject } of calls) reject(error)
    }
  }
}

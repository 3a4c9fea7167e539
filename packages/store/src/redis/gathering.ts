/**
 * Calls that gather: those of one turn of the event loop for one account become one command. Most of what a small write costs, here and
 * in Redis, it costs per command.
 */

/** Keeps a script short: Redis does nothing else meanwhile. */
const MAX_CALLS = 64

interface Waiting<Call, Reply> {
  call: Call
  resolve(reply: Reply): void
  reject(error: unknown): void
}

/** `execute` resolves to a reply for each call, in their order; when it rejects all of them have failed. */
export function gathered<Call, Reply>(
  execute: (accountKey: string, calls: readonly Call[]) => Promise<readonly Reply[]>,
): (accountKey: string, call: Call) => Promise<Reply> {
  const byAccount = new Map<string, Waiting<Call, Reply>[]>()

  return (accountKey, call) => {
    if (byAccount.size === 0) setImmediate(flush)
    let waiting = byAccount.get(accountKey)
    if (!waiting) {
      waiting = []
      byAccount.set(accountKey, waiting)
    }
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    waiting.push({ call, resolve, reject })
    return promise
  }

  function flush(): void {
    const accounts = [...byAccount]
    byAccount.clear()
    for (const [accountKey, waiting] of accounts) {
      for (let start = 0; start < waiting.length; start += MAX_CALLS) {
        void settle(accountKey, waiting.slice(start, start + MAX_CALLS))
      }
    }
  }

  async function settle(
    accountKey: string,
    waiting: readonly Waiting<Call, Reply>[],
  ): Promise<void> {
    try {
      const replies = await execute(
        accountKey,
        waiting.map(({ call }) => call),
      )
      for (const [index, { resolve }] of waiting.entries()) resolve(replies[index]!)
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
  }
}

/** Telling whoever wants to know that something fell off. */

export type ForgettingListener = (accountKey: string, count: number) => void

export function createForgetting() {
  const listeners = new Set<ForgettingListener>()
  return {
    tell(accountKey: string, count: number): void {
      for (const listener of listeners) listener(accountKey, count)
    },
    /** Returns what ends it. */
    listen(listener: ForgettingListener): () => void {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

/** A gate: at most so many inside at once, the others wait in the order they came. */

export type Gate = <Value>(work: () => Promise<Value>) => Promise<Value>

export function createGate(limit: number): Gate {
  const waiting: (() => void)[] = []
  let inside = 0

  const leave = () => {
    const next = waiting.shift()
    if (next) next()
    else inside -= 1
  }

  return async (work) => {
    if (inside < limit) inside += 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      leave()
    }
  }
}

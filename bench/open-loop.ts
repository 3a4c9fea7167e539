/** A constant rate of publishes, whatever becomes of them: the clock does not wait for a slow system. */

/** How long to wait for what is still on its way at the end. */
const DRAIN_MS = 10_000

export interface OpenLoop {
  /** Publishes per second. */
  rate: number
  count: number
  /** `index` counts from 0. */
  publish(index: number): Promise<unknown>
  /** Has `arrived` called with the index of each arrival. */
  listen(arrived: (index: number) => void): void
}

/** The latencies of what arrived, in milliseconds, each from the time at which its publish was due. Rejects when a publish fails. */
export async function measureLatencies(loop: OpenLoop): Promise<number[]> {
  const { rate, count, publish, listen } = loop
  const latencies: number[] = []
  const startedAtMs = performance.now() + 100
  const dueAtMs = (index: number) => startedAtMs + (index * 1_000) / rate
  const allArrived = Promise.withResolvers<void>()
  const seen = new Set<number>()
  listen((index) => {
    if (seen.has(index)) return // Delivered again.
    seen.add(index)
    latencies.push(performance.now() - dueAtMs(index))
    if (latencies.length === count) allArrived.resolve()
  })
  let sent = 0
  const allSent = Promise.withResolvers<void>()
  const clock = setInterval(() => {
    while (sent < count && dueAtMs(sent) <= performance.now()) {
      publish(sent++).catch(allSent.reject)
    }
    if (sent === count) allSent.resolve()
  }, 1)
  try {
    await allSent.promise
  } finally {
    clearInterval(clock)
  }
  const deadline = new Promise<void>((resolve) => setTimeout(resolve, DRAIN_MS).unref())
  await Promise.race([allArrived.promise, deadline])
  return latencies
}

/** An open loop: the `index`th event is due at a fixed time, however far behind the system is. */

const TICK_MS = 1

export interface PacingOptions {
  /** Events per second. */
  rate: number
  events: number
  /** When the first is due, on the clock of `nowMs`. */
  startMs: number
}

/** Calls `send` for each event, in order, as soon as it is due. Resolves when the last was sent or `signal` aborts. */
export function pace(
  { rate, events, startMs }: PacingOptions,
  deps: { nowMs: () => number; send: (index: number) => void; signal: AbortSignal },
): Promise<void> {
  const { nowMs, send, signal } = deps
  let next = 0
  return new Promise((resolve) => {
    const clock = setInterval(() => {
      const due = Math.min(events, Math.floor(((nowMs() - startMs) * rate) / 1_000) + 1)
      while (next < due && !signal.aborted) send(next++)
      if (next < events && !signal.aborted) return
      clearInterval(clock)
      resolve()
    }, TICK_MS)
  })
}

/** When an event is due, in milliseconds on the same clock. */
export function dueMs({ rate, startMs }: Pick<PacingOptions, 'rate' | 'startMs'>, index: number) {
  return startMs + (index * 1_000) / rate
}

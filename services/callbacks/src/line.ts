/**
 * The line before one endpoint, or one account: who may wait for a place in this process, and when the others come again.
 *
 * Whoever finds no place waits here only where that takes a moment: the endpoint is quick, and few wait. All others go back to the broker, each
 * with a time of its own: the line keeps a book in which every one who is sent away takes the place after the one before, as far apart as the
 * endpoint takes them. So what waits costs no memory, comes back about when there is room for it, and does not spin. Who was sent away
 * before is booked sooner.
 *
 * How far apart is measured: the mean time from one place that becomes free to the next, while there was somebody to take it. Until that is known, it is the
 * average duration by the number of places. n.b. durations alone mislead about an account: a dead endpoint takes long over a few places, and
 * the others are as quick as ever.
 */

/** How much of the average the latest duration is. */
const WEIGHT = 0.2
/** Places that become free, from one measurement to the next. */
const MEASURED_OVER = 64

export interface LineOptions {
  /** The longest wait in this process, estimated and real. */
  maxWaitMs: number
  /** At most so many wait in this process. */
  maxWaiting: number
  /** The longest time for which somebody is sent away. */
  maxAwayMs: number
}

/** How an endpoint takes what comes. */
export interface Pace {
  maxConcurrent: number
  /** Infinity: no rate. */
  ratePerSecond: number
}

export class Line {
  readonly #options: LineOptions
  readonly #waiting = new Set<(isFree: boolean) => void>()
  #averageMs: number | undefined
  #measuredMs: number | undefined
  /** Since when somebody has wanted a place in vain. */
  #fullSinceMs: number | undefined
  #lastFreedMs = 0
  #freed = 0
  #fullMs = 0
  #bookedUntilMs = 0

  constructor(options: LineOptions) {
    this.#options = options
  }

  get waiting(): number {
    return this.#waiting.size
  }

  isIdle(nowMs: number): boolean {
    return this.#waiting.size === 0 && this.#bookedUntilMs <= nowMs
  }

  /** A delivery has ended that took so long, and has left its place. */
  observe(nowMs: number, durationMs: number): void {
    const average = this.#averageMs ?? durationMs
    this.#averageMs = average + WEIGHT * (durationMs - average)
    if (this.#fullSinceMs !== undefined) {
      this.#fullMs += nowMs - Math.max(this.#fullSinceMs, this.#lastFreedMs)
      this.#freed += 1
    }
    if (this.#freed === MEASURED_OVER) {
      this.#measuredMs = this.#fullMs / this.#freed
      this.#freed = 0
      this.#fullMs = 0
    }
    this.#lastFreedMs = nowMs
    this.#fullSinceMs = this.#waiting.size > 0 ? nowMs : undefined
  }

  /** Resolves to true when a place has become free, to false when waiting is no use. */
  async wait(nowMs: number, pace: Pace): Promise<boolean> {
    this.#fullSinceMs ??= nowMs
    const { maxWaitMs, maxWaiting } = this.#options
    const estimateMs = (this.#waiting.size + 1) * this.#intervalMs(pace)
    if (this.#waiting.size >= maxWaiting || estimateMs > maxWaitMs) return false
    return new Promise((resolve) => {
      const timer = setTimeout(() => leave(false), maxWaitMs)
      const leave = (isFree: boolean) => {
        clearTimeout(timer)
        this.#waiting.delete(leave)
        resolve(isFree)
      }
      this.#waiting.add(leave)
    })
  }

  /** A place is free: the first in the line is told. Whoever is told and does not take it calls this again. */
  free(): void {
    const [first] = this.#waiting
    first?.(true)
  }

  /** For how long to send somebody away that was sent away `deferrals` times before; not before `floorMs`. */
  book(
    nowMs: number,
    { floorMs, deferrals, pace, minIntervalMs = 0 }: Booking,
    random: number,
  ): number {
    const fromMs = Math.max(this.#bookedUntilMs, nowMs + floorMs)
    const { maxAwayMs } = this.#options
    this.#bookedUntilMs = Math.min(
      fromMs + Math.max(minIntervalMs, this.#intervalMs(pace)),
      nowMs + maxAwayMs,
    )
    const awayMs = Math.max(floorMs, (fromMs - nowMs) / (1 + deferrals))
    // n.b. the book is full: those beyond it do not come back all at once.
    return awayMs < maxAwayMs * 0.9 ? awayMs : maxAwayMs * (0.5 + random / 2)
  }

  /** n.b. an endpoint that nothing is known of is taken to need as long as somebody may wait: so few do. */
  #intervalMs({ maxConcurrent, ratePerSecond }: Pace): number {
    const averageMs = this.#averageMs ?? this.#options.maxWaitMs
    return Math.max(this.#measuredMs ?? averageMs / maxConcurrent, 1_000 / ratePerSecond)
  }
}

export interface Booking {
  floorMs: number
  deferrals: number
  pace: Pace
  /** At least so far apart from the one before. */
  minIntervalMs?: number
}

/**
 * A rate with a burst: a bucket that fills at the rate up to the burst, and from which each event takes one.
 *
 * It may be overdrawn, so that whoever goes on beyond the rate is known from whoever exceeded it once.
 */

export interface Rate {
  /** 0: no limit. */
  perSecond: number
  burst: number
}

export class TokenBucket {
  readonly #rate: Rate
  #level: number
  #atMs: number

  /** Full. Times are milliseconds of one clock that does not go back. */
  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate
    this.#level = rate.burst
    this.#atMs = nowMs
  }

  /** The latest time it was asked. */
  get atMs(): number {
    return this.#atMs
  }

  /** Takes one. What is left is negative when there was none, down to `-maxDebt`. */
  take(nowMs: number, maxDebt = Number.POSITIVE_INFINITY): number {
    this.#fill(nowMs)
    if (this.#rate.perSecond === 0) return 0
    this.#level = Math.max(-maxDebt, this.#level - 1)
    return this.#level
  }

  /** Takes one if there is one. */
  takeIfThere(nowMs: number): boolean {
    this.#fill(nowMs)
    if (this.#rate.perSecond === 0) return true
    if (this.#level < 1) return false
    this.#level--
    return true
  }

  #fill(nowMs: number): void {
    const { perSecond, burst } = this.#rate
    const gained = ((nowMs - this.#atMs) / 1_000) * perSecond
    this.#level = Math.min(burst, this.#level + gained)
    this.#atMs = nowMs
  }
}

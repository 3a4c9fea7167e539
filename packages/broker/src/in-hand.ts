/** Counts the deliveries that a consumer has taken and not settled yet, so that its close can wait for them. */
export class InHand {
  #count = 0
  #waiting: (() => void)[] = []

  get count(): number {
    return this.#count
  }

  taken(): void {
    this.#count += 1
  }

  settled(): void {
    this.#count -= 1
    if (this.#count > 0) return
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Resolves when nothing is in hand. */
  idle(): Promise<void> {
    if (this.#count === 0) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}

/** Whether the connections to Redis are there, told once when it changes: `store.lost`, `store.restored`. */
import type { Log } from '@signalbox/kit'

export class Availability {
  readonly #log: Log
  /** Without its password. */
  readonly #shownUrl: string
  /** Connection -> why it does not work. */
  readonly #down = new Map<string, string>()
  #downSinceMs = performance.now()
  #isLossLogged = false

  constructor({ shownUrl, log }: { shownUrl: string; log: Log }) {
    this.#shownUrl = shownUrl
    this.#log = log
  }

  /** Not there yet: no loss until it fails to come. */
  expect(connection: string): void {
    this.#down.set(connection, 'not connected yet')
  }

  lost(connection: string, reason: string): void {
    if (this.#down.size === 0) this.#downSinceMs = performance.now()
    this.#down.set(connection, reason)
    if (this.#isLossLogged) return
    this.#isLossLogged = true
    this.#log.error({ redis: this.#shownUrl, connection, reason }, 'store.lost')
  }

  restored(connection: string): void {
    this.#down.delete(connection)
    if (this.#down.size > 0) return
    const fields = {
      redis: this.#shownUrl,
      durationMs: Math.round(performance.now() - this.#downSinceMs),
    }
    this.#log.info(fields, this.#isLossLogged ? 'store.restored' : 'store.connected')
    this.#isLossLogged = false
  }

  reason(): string | undefined {
    const [first] = this.#down
    return first && `Redis (${first[0]}): ${first[1]}`
  }
}

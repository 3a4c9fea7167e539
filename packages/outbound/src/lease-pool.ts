/**
 * Costly things by key (connection pools, connections), bounded in number.
 *
 * An item is *leased* for each use. One that nobody leases is closed when it was idle for a while, and earlier when another key needs its
 * place: the one that was used least recently. An item in use is never closed for another's sake.
 */

export interface LeasePoolOptions {
  /** Items there may be. */
  max: number
  /** An item without a lease is closed after this. */
  idleMs: number
}

export interface LeasePoolDeps<Item> {
  /** Milliseconds on any clock that does not go back. */
  now(): number
  close(item: Item): Promise<unknown>
}

export interface Lease<Item> {
  readonly item: Item
  /** Once. */
  release(): void
}

interface Entry<Item> {
  readonly item: Item
  leases: number
  usedAtMs: number
}

export class LeasePool<Item> {
  readonly #options: LeasePoolOptions
  readonly #deps: LeasePoolDeps<Item>
  /** The least recently used first. */
  readonly #entries = new Map<string, Entry<Item>>()
  readonly #sweeping: NodeJS.Timeout

  constructor(options: LeasePoolOptions, deps: LeasePoolDeps<Item>) {
    this.#options = options
    this.#deps = deps
    this.#sweeping = setInterval(() => this.#sweep(), options.idleMs / 2)
    this.#sweeping.unref()
  }

  get size(): number {
    return this.#entries.size
  }

  /** Opens what is not there. Undefined when there is no room: every item is in use. */
  lease(key: string, open: () => Item): Lease<Item> | undefined {
    const known = this.#entries.get(key)
    if (!known && this.#entries.size >= this.#options.max && !this.#evict()) return undefined
    const entry = known ?? { item: open(), leases: 0, usedAtMs: 0 }
    entry.leases += 1
    this.#used(key, entry)
    return {
      item: entry.item,
      release: () => {
        entry.leases -= 1
        if (this.#entries.get(key) === entry) this.#used(key, entry)
      },
    }
  }

  /** Closes what is in use as well. Idempotent. */
  async close(): Promise<void> {
    clearInterval(this.#sweeping)
    const items = [...this.#entries.values()].map(({ item }) => item)
    this.#entries.clear()
    await Promise.all(items.map((item) => this.#deps.close(item)))
  }

  #used(key: string, entry: Entry<Item>): void {
    entry.usedAtMs = this.#deps.now()
    this.#entries.delete(key)
    this.#entries.set(key, entry)
  }

  #evict(): boolean {
    for (const [key, entry] of this.#entries) {
      if (entry.leases > 0) continue
      this.#drop(key, entry)
      return true
    }
    return false
  }

  #sweep(): void {
    const idleSinceMs = this.#deps.now() - this.#options.idleMs
    for (const [key, entry] of this.#entries) {
      if (entry.usedAtMs > idleSinceMs) return
      if (entry.leases === 0) this.#drop(key, entry)
    }
  }

  #drop(key: string, { item }: Entry<Item>): void {
    this.#entries.delete(key)
    this.#deps.close(item).catch(() => undefined)
  }
}

/** A map whose keys are in the order in which Redis has them (by code point), for listings in pages. */

export class SortedMap<Value> {
  readonly #values = new Map<string, Value>()
  readonly #keys: string[] = []

  get size(): number {
    return this.#values.size
  }

  get(key: string): Value | undefined {
    return this.#values.get(key)
  }

  set(key: string, value: Value): void {
    if (!this.#values.has(key)) this.#keys.splice(this.#firstNotBefore(key), 0, key)
    this.#values.set(key, value)
  }

  delete(key: string): boolean {
    if (!this.#values.delete(key)) return false
    this.#keys.splice(this.#firstNotBefore(key), 1)
    return true
  }

  /** At most `limit` entries after the key `after`; undefined: from the first. */
  entriesAfter(after: string | undefined, limit: number): [key: string, value: Value][] {
    let start = 0
    if (after !== undefined) {
      start = this.#firstNotBefore(after)
      if (this.#keys[start] === after) start += 1
    }
    return this.#keys.slice(start, start + limit).map((key) => [key, this.#values.get(key)!])
  }

  #firstNotBefore(key: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareCodePoints(this.#keys[middle]!, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The order of the UTF-8 bytes. UTF-16 units alone would sort surrogate pairs before U+E000 to U+FFFF. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index += 1) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left === right) continue
    const isLeftPair = isSurrogate(left)
    if (isLeftPair === isSurrogate(right)) return left - right
    return isLeftPair ? 1 : -1
  }
  return a.length - b.length
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff
}

/**
 * The ledger of one path: which of the numbered events arrived there, how often, and in which order.
 *
 * An *era* is a time during which whoever receives was there without a break: a subscriber begins a new one with every socket. What
 * is missing between two arrivals of different eras may have been shown while nobody looked; within an era nothing may be missing.
 */

/** Eras are kept in a byte; later ones share the last. */
const LAST_ERA = 255

export type Ledger = ReturnType<typeof createLedger>

export interface LedgerOptions {
  /** Events are numbered from 0 up to this. */
  events: number
  /** Event `index` belongs to conversation `index % conversations`, and must come after those before it there. */
  conversations: number
}

/** What is missing: `lost` without an excuse, `missed` while the receiver was away. Indexes. */
export interface Missing {
  lost: number[]
  missed: number[]
}

export function createLedger({ events, conversations }: LedgerOptions) {
  const eraOfArrival = new Uint8Array(events)
  const latest = new Int32Array(conversations).fill(-1)
  let arrived = 0
  let repeated = 0
  let reordered = 0

  return {
    /** Events that arrived at least once. */
    get arrived() {
      return arrived
    },
    /** Arrivals beyond the first. */
    get repeated() {
      return repeated
    },
    /** First arrivals that came after a later event of their conversation. */
    get reordered() {
      return reordered
    },
    has: (index: number) => eraOfArrival[index] !== 0,
    /** Eras count from 1. `unknown`: no event has that number. */
    arrive(index: number, era = 1): 'first' | 'repeated' | 'unknown' {
      const before = eraOfArrival[index]
      if (before === undefined) return 'unknown'
      if (before !== 0) {
        repeated++
        return 'repeated'
      }
      eraOfArrival[index] = Math.min(era, LAST_ERA)
      arrived++
      const conversation = index % conversations
      if (index < latest[conversation]!) reordered++
      else latest[conversation] = index
      return 'first'
    },
    /** Which of the `expected` events have not arrived; `currentEra` is that of the receiver of an event now. */
    missing(
      expected: (index: number) => boolean,
      currentEra: (index: number) => number = () => 1,
    ): Missing {
      const missing: Missing = { lost: [], missed: [] }
      for (let index = 0; index < events; index++) {
        if (eraOfArrival[index] !== 0 || !expected(index)) continue
        const before = neighbour(index, -conversations) ?? 1
        const after = neighbour(index, conversations) ?? Math.min(currentEra(index), LAST_ERA)
        if (before === after) missing.lost.push(index)
        else missing.missed.push(index)
      }
      return missing
    },
  }

  /** The era of the nearest event of the same conversation that did arrive. */
  function neighbour(index: number, stride: number): number | undefined {
    for (let near = index + stride; near >= 0 && near < events; near += stride) {
      const era = eraOfArrival[near]
      if (era) return era
    }
    return undefined
  }
}

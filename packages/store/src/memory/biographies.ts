/** Biographies in memory. */
import { type BiographyFact, biographyOf, eventSummaryOf } from '@signalbox/contracts'
import { MAX_SCANNED_BIOGRAPHIES, ORPHAN_FACTS_TTL_MS } from '../bounds.ts'
import { factIdOf, matchesFilter } from '../facts.ts'
import { checkPage, cursorOf } from '../input.ts'
import type { BiographyStore } from '../ports.ts'
import { Accounts, type MemoryLifetime } from './accounts.ts'

/** In a cursor: the sequence of the last event looked at. */
const POSITION = /^\d+$/

interface KeptFacts {
  /** Identity to JSON text, in the order in which they were learned. */
  facts: Map<string, string>
  sinceMs: number
  /** Counts the events as they were received, for the cursor. */
  sequence: number
}

class AccountBiographies {
  /** Oldest first. */
  readonly received = new Map<string, KeptFacts>()
  /** Facts of events whose `received` fact is not there: it comes late, or they were forgotten. Oldest first. */
  readonly orphans = new Map<string, KeptFacts>()
  forgotten = 0
  sequence = 0
}

export function createMemoryBiographies(
  options: { maxBiographies: number; biographyTtlMs: number },
  deps: { lifetime: MemoryLifetime },
): BiographyStore {
  const accounts = new Accounts(deps.lifetime, () => new AccountBiographies())
  const orphanTtlMs = Math.min(options.biographyTtlMs, ORPHAN_FACTS_TTL_MS)

  /** The account without what is too old or too many. */
  const current = (accountKey: string): AccountBiographies => {
    const account = accounts.of(accountKey)
    account.forgotten += dropOldest(
      account.received,
      options.biographyTtlMs,
      options.maxBiographies,
    )
    dropOldest(account.orphans, orphanTtlMs, options.maxBiographies)
    return account
  }

  return {
    async record(entries) {
      for (const { accountKey, eventId, facts } of entries) {
        const account = accounts.of(accountKey)
        const kept = keptFor(account, eventId, facts)
        for (const fact of facts) {
          const id = factIdOf(fact)
          if (!kept.facts.has(id)) kept.facts.set(id, JSON.stringify(fact))
        }
        current(accountKey)
      }
    },

    async get(accountKey, eventId) {
      const kept = current(accountKey).received.get(eventId)
      return kept && biographyOf(factsOf(kept))
    },

    async list(accountKey, filter, pageOptions) {
      const account = current(accountKey)
      const { limit, after } = checkPage('events', pageOptions, POSITION)
      const before = after === undefined ? Number.POSITIVE_INFINITY : Number(after)
      const newestFirst = [...account.received.values()]
        .reverse()
        .filter(({ sequence }) => sequence < before)
      const items = []
      let scanned = 0
      let position = 0
      for (const kept of newestFirst) {
        if (items.length === limit || scanned === MAX_SCANNED_BIOGRAPHIES) {
          return { items, next: cursorOf('events', String(position)) }
        }
        scanned += 1
        position = kept.sequence
        const biography = biographyOf(factsOf(kept))
        const summary = biography && eventSummaryOf(biography)
        if (summary && matchesFilter(summary, filter)) items.push(summary)
      }
      return { items }
    },

    async forgotten(accountKey) {
      return current(accountKey).forgotten
    },
  }
}

function keptFor(
  account: AccountBiographies,
  eventId: string,
  facts: readonly BiographyFact[],
): KeptFacts {
  const received = account.received.get(eventId)
  if (received) return received
  const orphan = account.orphans.get(eventId)
  if (facts.some((fact) => fact.fact === 'received')) {
    account.orphans.delete(eventId)
    account.sequence += 1
    const kept = {
      facts: orphan?.facts ?? new Map(),
      sinceMs: Date.now(),
      sequence: account.sequence,
    }
    account.received.set(eventId, kept)
    return kept
  }
  const kept = orphan ?? { facts: new Map(), sinceMs: Date.now(), sequence: 0 }
  account.orphans.set(eventId, kept)
  return kept
}

function dropOldest(kept: Map<string, KeptFacts>, ttlMs: number, maxCount: number): number {
  const expiredBefore = Date.now() - ttlMs
  let dropped = 0
  for (const [eventId, { sinceMs }] of kept) {
    if (kept.size <= maxCount && sinceMs > expiredBefore) break
    kept.delete(eventId)
    dropped += 1
  }
  return dropped
}

function factsOf(kept: KeptFacts): BiographyFact[] {
  return [...kept.facts.values()].map((text) => JSON.parse(text) as BiographyFact)
}

/** Dead letters in memory. */
import type { DeadLetterSummary } from '@signalbox/contracts'
import { MAX_SCANNED_DEAD_LETTERS } from '../bounds.ts'
import { createGrouping, firstSummary, isAskedFor, repeated, withBody } from '../dead-letters.ts'
import type { DeadLetterStore } from '../ports.ts'
import { Accounts, type MemoryLifetime } from './accounts.ts'
import { pageOfNewest } from './newest-first.ts'

interface KeptLetter {
  /** JSON text. */
  summary: string
  body: string
  sinceMs: number
  sequence: number
}

class AccountLetters {
  /** Oldest first. */
  readonly letters = new Map<string, KeptLetter>()
  forgotten = 0
  sequence = 0
}

export function createMemoryDeadLetters(
  { maxDeadLetters, deadLetterTtlMs }: { maxDeadLetters: number; deadLetterTtlMs: number },
  { lifetime }: { lifetime: MemoryLifetime },
): DeadLetterStore {
  const accounts = new Accounts(lifetime, () => new AccountLetters())

  /** The account without what is too old or too many. */
  const current = (accountKey: string): AccountLetters => {
    const account = accounts.of(accountKey)
    const expiredBefore = Date.now() - deadLetterTtlMs
    for (const [id, { sinceMs }] of account.letters) {
      if (account.letters.size <= maxDeadLetters && sinceMs > expiredBefore) break
      account.letters.delete(id)
      account.forgotten += 1
    }
    return account
  }

  return {
    async keep(letter) {
      const account = accounts.of(letter.account_key)
      const before = account.forgotten
      const kept = account.letters.get(letter.dead_letter_id)
      if (kept) {
        kept.summary = JSON.stringify(repeated(summaryOf(kept), letter))
      } else {
        account.sequence += 1
        account.letters.set(letter.dead_letter_id, {
          summary: JSON.stringify(firstSummary(letter)),
          body: JSON.stringify(letter.body),
          sinceMs: Date.now(),
          sequence: account.sequence,
        })
      }
      return { forgotten: current(letter.account_key).forgotten - before }
    },

    async get(accountKey, deadLetterId) {
      const kept = current(accountKey).letters.get(deadLetterId)
      return kept && withBody(summaryOf(kept), kept.body)
    },

    async update(accountKey, deadLetterId, change) {
      const kept = current(accountKey).letters.get(deadLetterId)
      if (!kept) return undefined
      kept.summary = JSON.stringify(change(summaryOf(kept)))
      return summaryOf(kept)
    },

    async list(accountKey, filter, pageOptions) {
      return pageOfNewest(
        { ...pageOptions, listing: 'dead letters', maxScanned: MAX_SCANNED_DEAD_LETTERS },
        current(accountKey).letters.values(),
        summaryOf,
        (summary) => isAskedFor(summary, filter),
      )
    },

    async groups(accountKey, filter) {
      const grouping = createGrouping()
      for (const kept of current(accountKey).letters.values()) {
        const summary = summaryOf(kept)
        if (isAskedFor(summary, filter)) grouping.add(summary)
      }
      return grouping.groups()
    },

    async forgotten(accountKey) {
      return current(accountKey).forgotten
    },
  }
}

function summaryOf({ summary }: KeptLetter): DeadLetterSummary {
  return JSON.parse(summary) as DeadLetterSummary
}

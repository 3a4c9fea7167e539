/** An account's polls, as documents. */
import { keySchema } from '@signalbox/contracts'
import { NotFoundError, parseInput } from '@signalbox/kit'
import type { PageOptions, Store } from '@signalbox/store'
import { type Poll, pollSchema } from './poll.ts'

/** The collection of poll definitions. */
export const POLLS = 'survey_polls'

export interface PollStore {
  /** Creates or replaces. Throws `InvalidInputError` with a path for each fault. */
  put(pollKey: string, definition: Record<string, unknown>): Promise<Poll>
  /** Throws `NotFoundError`. */
  get(pollKey: string): Promise<Poll>
  list(options: PageOptions): Promise<{ polls: Poll[]; next?: string }>
}

export function createPollStore(
  accountKey: string,
  documents: Pick<Store['documents'], 'get' | 'put' | 'list'>,
): PollStore {
  return {
    async put(pollKey, definition) {
      const key = parseInput(keySchema, pollKey, 'poll_key')
      const poll = parseInput(
        pollSchema.refine(({ poll_key }) => poll_key === key, {
          message: `must be "${key}", as the address says, or absent`,
          path: ['poll_key'],
        }),
        { poll_key: key, ...definition },
        'poll',
      )
      await documents.put(accountKey, POLLS, key, poll)
      return poll
    },
    async get(pollKey) {
      const stored = await documents.get(accountKey, POLLS, pollKey)
      if (!stored) throw new NotFoundError(`there is no poll "${pollKey}"`)
      return pollSchema.parse(stored.value)
    },
    async list(options) {
      const { items, next } = await documents.list(accountKey, POLLS, options)
      return {
        polls: items.map(({ value }) => pollSchema.parse(value)),
        ...(next === undefined ? {} : { next }),
      }
    },
  }
}

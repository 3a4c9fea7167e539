/** What a memory store has per account. */
import { UnavailableError } from '@signalbox/kit'
import { checkAccountKey } from '../input.ts'

/** Shared by the parts of one memory store: closing it ends them all. */
export interface MemoryLifetime {
  closed: boolean
}

/** Throws the error that the Redis engine gives when it is closed. */
export function checkOpen(lifetime: MemoryLifetime): void {
  if (lifetime.closed) {
    throw new UnavailableError('the store is closed', { code: 'SB_STORE_UNAVAILABLE' })
  }
}

export class Accounts<State> {
  readonly #lifetime: MemoryLifetime
  readonly #create: () => State
  readonly #states = new Map<string, State>()

  constructor(lifetime: MemoryLifetime, create: () => State) {
    this.#lifetime = lifetime
    this.#create = create
  }

  /** The account's state, made at its first use. Throws on what is no account key, and after the store was closed. */
  of(accountKey: string): State {
    checkOpen(this.#lifetime)
    let state = this.#states.get(checkAccountKey(accountKey))
    if (state === undefined) {
      state = this.#create()
      this.#states.set(accountKey, state)
    }
    return state
  }

  values(): Iterable<State> {
    return this.#states.values()
  }
}

/** The places of an edge: how many sockets it, an address, an account and a person hold, and no more than they may. */
import type { TokenClaims } from '@signalbox/contracts'
import { AppError } from '@signalbox/kit'
import { ComeBackLater } from './refusal.ts'

export interface HouseOptions {
  maxConnections: number
  maxPerAddress: number
  maxPerAccount: number
  maxPerPerson: number
}

export class House {
  readonly options: Readonly<HouseOptions>
  readonly #addresses = new Map<string, number>()
  readonly #accounts = new Map<string, number>()
  readonly #persons = new Map<string, number>()
  #taken = 0

  constructor(options: HouseOptions) {
    this.options = options
  }

  /** A seat for somebody from the address who is not known yet. Throws when there is none. */
  enter(address: string): Seat {
    if (this.#taken >= this.options.maxConnections) {
      throw new ComeBackLater('this edge holds as many connections as it may')
    }
    take(this.#addresses, address, this.options.maxPerAddress, 'the address')
    this.#taken++
    return new Seat(this, address)
  }

  takeFor({ account_key, sub }: TokenClaims): void {
    const { maxPerAccount, maxPerPerson } = this.options
    take(this.#accounts, account_key, maxPerAccount, 'the account')
    if (sub === undefined) return
    try {
      take(this.#persons, `${account_key} ${sub}`, maxPerPerson, 'the person')
    } catch (error) {
      giveBack(this.#accounts, account_key)
      throw error
    }
  }

  giveBack(address: string, claims: TokenClaims | undefined): void {
    this.#taken--
    giveBack(this.#addresses, address)
    if (!claims) return
    giveBack(this.#accounts, claims.account_key)
    if (claims.sub !== undefined) giveBack(this.#persons, `${claims.account_key} ${claims.sub}`)
  }
}

/** Small, because there is one per connection. */
export class Seat {
  readonly #house: House
  readonly #address: string
  #claims: TokenClaims | undefined
  #isReleased = false

  constructor(house: House, address: string) {
    this.#house = house
    this.#address = address
  }

  /** Of whoever took it. */
  get claims(): TokenClaims {
    if (this.#claims === undefined) throw new Error('nobody took the seat')
    return this.#claims
  }

  /** Throws when the account or the person holds as many as it may. */
  take(claims: TokenClaims): void {
    this.#house.takeFor(claims)
    this.#claims = claims
  }

  /** Idempotent. */
  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#house.giveBack(this.#address, this.#claims)
  }
}

function take(counts: Map<string, number>, who: string, max: number, what: string): void {
  const count = counts.get(who) ?? 0
  if (count >= max) {
    const message = `${what} has as many connections as it may`
    throw new AppError('SB_TOO_MANY', message, { retryable: true })
  }
  counts.set(who, count + 1)
}

/** Who holds none is forgotten. */
function giveBack(counts: Map<string, number>, who: string): void {
  const count = counts.get(who) ?? 0
  if (count > 1) counts.set(who, count - 1)
  else counts.delete(who)
}

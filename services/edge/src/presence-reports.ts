/** What this edge says every few seconds of who is connected to it, by account. Who says nothing any more is soon forgotten. */
import type { TokenClaims } from '@signalbox/contracts'
import type { Log } from '@signalbox/kit'
import type { AccountPresence, PresenceStore } from '@signalbox/store'

const INTERVAL_MS = 5_000
const NOBODY: AccountPresence = { connections: 0, subscriptions: 0, persons: [] }
/** Three reports may get lost. */
const TTL_MS = 20_000

export interface PresentSocket {
  readonly connection: { readonly claims: TokenClaims; readonly subscriptionCount: number }
}

export interface PresenceReportsOptions {
  /** Names this edge. */
  edgeId: string
}

export interface PresenceReportsDeps {
  presence: Pick<PresenceStore, 'report'>
  /** Those that are open. */
  sockets: Iterable<PresentSocket>
  log: Log
}

/** Disposing it says that nobody is here, if the store takes it at once. */
export function startPresenceReports(
  { edgeId }: PresenceReportsOptions,
  { presence, sockets, log }: PresenceReportsDeps,
): AsyncDisposable {
  let told = new Set<string>()
  let reporting: Promise<void> = Promise.resolve()
  let isReporting = false

  const timer = setInterval(() => {
    if (!isReporting) reporting = report(presenceOf(sockets))
  }, INTERVAL_MS)

  async function report(accounts: Map<string, AccountPresence>): Promise<void> {
    isReporting = true
    const present = new Set(accounts.keys())
    for (const accountKey of told) {
      if (!present.has(accountKey)) accounts.set(accountKey, NOBODY)
    }
    try {
      await presence.report(edgeId, accounts, TTL_MS)
      told = present
    } catch (error) {
      // n.b. who is gone stays told of, and is taken back with the next report.
      told = new Set(accounts.keys())
      log.debug({ err: error }, 'presence.report_failed')
    }
    isReporting = false
  }

  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await reporting
      await report(new Map())
    },
  }
}

/** Everybody who is connected, by account. */
export function presenceOf(sockets: Iterable<PresentSocket>): Map<string, AccountPresence> {
  const accounts = new Map<string, AccountPresence>()
  const persons = new Map<string, AccountPresence['persons'][number]>()
  for (const { connection } of sockets) {
    const { account_key: accountKey, sub: personKey } = connection.claims
    const account = accounts.get(accountKey) ?? { connections: 0, subscriptions: 0, persons: [] }
    accounts.set(accountKey, account)
    account.connections++
    account.subscriptions += connection.subscriptionCount
    if (personKey === undefined) continue
    const key = `${accountKey} ${personKey}`
    let person = persons.get(key)
    if (!person) {
      person = { personKey, connections: 0, subscriptions: 0 }
      persons.set(key, person)
      account.persons.push(person)
    }
    person.connections++
    person.subscriptions += connection.subscriptionCount
  }
  return accounts
}

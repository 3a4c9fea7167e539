/**
 * Interest: the accounts whose own channel is filled, because somebody subscribes to more than a person's state changes.
 *
 * Such an account has a durable binding that brings all its events to the relay, and a mark in the store by which every relay knows, and
 * which is kept while an edge has somebody for it. A day after the last one both go. Each step can be the last before a crash:
 *
 * | begin                    | lapse                                       |
 * | ------------------------ | ------------------------------------------- |
 * | keep the mark            | take back its confirmation                  |
 * | bind                     | unbind                                      |
 * | begin a new epoch¹       | begin a new epoch                           |
 * | confirm the mark¹        | remove the mark; kept again meanwhile: bind |
 *
 * ¹ when the mark was not confirmed: what the channel has then may have a hole behind it.
 *
 * So a mark that is confirmed stands for a channel without holes since its epoch began, and who began while another edge let it lapse
 * finds another epoch: a gap that is told.
 */
import { setImmediate as laterTurn } from 'node:timers/promises'
import type { Broker } from '@signalbox/broker'
import { delay, type Log } from '@signalbox/kit'
import type { ChannelInterest, ChannelStore } from '@signalbox/store'

const DAY_MS = 24 * 60 * 60_000
const DEFAULT_REFRESH_INTERVAL_MS = 60_000

export interface InterestOptions {
  /** How long an account's channel is filled after the last interest; default a day. */
  keepMs?: number
  /** Between two refreshes; default a minute. */
  refreshIntervalMs?: number
}

export interface InterestDeps {
  broker: Pick<Broker, 'topology' | 'bind' | 'unbind' | 'letGo'>
  interest: Omit<ChannelInterest, 'among'>
  channels: Pick<ChannelStore, 'forget'>
  log: Log
  /** The accounts that somebody of this process subscribes to now. */
  wanted(): Iterable<string>
  /** Whether this process is the one that lets lapse what nobody keeps, and brings back what was unbound. */
  isLeader(): boolean
}

/** Disposing it ends the refreshes; the marks stay until they lapse. */
export interface Interest extends AsyncDisposable {
  /**
   * Resolves when every event of the account that is published from now on gets to its channel. Costs nothing when that was so a moment
   * ago. Rejects with `UnavailableError` when the broker or the store is away.
   */
  ensure(accountKey: string): Promise<void>
  /** The same, and makes sure again: to be called when the account's channel is found in another epoch. */
  assert(accountKey: string): Promise<void>
  /** An event came by the account's binding, and nobody is interested: takes the binding away, if that is so. */
  orphaned(accountKey: string): void
}

export function createInterest(options: InterestOptions, deps: InterestDeps): Interest {
  const { keepMs = DAY_MS, refreshIntervalMs = DEFAULT_REFRESH_INTERVAL_MS } = options
  const { broker, interest, channels, log } = deps
  const { accountRoute } = broker.topology
  /** When each account was made sure of; these routes are kept bound by this process. */
  const ensuredAtMs = new Map<string, number>()
  /** One thing at a time for each account. */
  const underWay = new Map<string, Promise<void>>()
  const beginning = new Map<string, Promise<void>>()
  const orphans = new Set<string>()
  const closing = new AbortController()
  const refreshing = refreshAgainAndAgain()

  function inTurn(accountKey: string, work: () => Promise<void>): Promise<void> {
    const done = (underWay.get(accountKey) ?? Promise.resolve()).catch(() => undefined).then(work)
    underWay.set(accountKey, done)
    const forget = (): void => {
      if (underWay.get(accountKey) === done) underWay.delete(accountKey)
    }
    done.then(forget, forget)
    return done
  }

  /** Whoever asks while it waits for its turn is answered by the same. */
  function begin(accountKey: string): Promise<void> {
    const known = beginning.get(accountKey)
    if (known) return known
    const begun = inTurn(accountKey, async () => {
      beginning.delete(accountKey)
      const { isConfirmed } = await interest.keep(accountKey, keepMs)
      await broker.bind(accountRoute(accountKey))
      if (!isConfirmed) {
        await channels.forget({ accountKey, kind: 'account' })
        await interest.confirm(accountKey)
      }
      ensuredAtMs.set(accountKey, Date.now())
    })
    beginning.set(accountKey, begun)
    return begun
  }

  function letLapse(accountKey: string): Promise<void> {
    return inTurn(accountKey, async () => {
      if (!(await interest.lapse(accountKey))) return
      ensuredAtMs.delete(accountKey)
      await broker.unbind(accountRoute(accountKey))
      await channels.forget({ accountKey, kind: 'account' })
      if (await interest.end(accountKey)) log.info({ accountKey }, 'interest.lapsed')
      else await broker.bind(accountRoute(accountKey))
    })
  }

  /** n.b. not in this turn: what is wanted is known to somebody who needs this to begin. */
  async function refreshAgainAndAgain(): Promise<void> {
    await laterTurn()
    while (!closing.signal.aborted) {
      await refresh()
      await delay(refreshIntervalMs, closing.signal)
    }
  }

  async function refresh(): Promise<void> {
    orphans.clear()
    try {
      const kept = new Set(deps.wanted())
      for (const accountKey of kept) await begin(accountKey)
      if (deps.isLeader()) {
        for (const { accountKey, isLapsed } of await interest.list()) {
          if (closing.signal.aborted) return
          if (isLapsed) await letLapse(accountKey)
          else if (!kept.has(accountKey)) {
            await inTurn(accountKey, () => broker.bind(accountRoute(accountKey)))
            ensuredAtMs.set(accountKey, ensuredAtMs.get(accountKey) ?? 0)
            kept.add(accountKey)
          }
        }
      }
      for (const accountKey of ensuredAtMs.keys()) {
        if (kept.has(accountKey) || underWay.has(accountKey)) continue
        ensuredAtMs.delete(accountKey)
        broker.letGo(accountRoute(accountKey))
      }
    } catch (error) {
      log.debug({ err: error }, 'interest.refresh_failed')
    }
  }

  return {
    async ensure(accountKey) {
      const sinceMs = Date.now() - (ensuredAtMs.get(accountKey) ?? 0)
      if (sinceMs > 2 * refreshIntervalMs) await begin(accountKey)
    },
    assert: begin,
    orphaned(accountKey) {
      if (orphans.has(accountKey)) return
      orphans.add(accountKey)
      letLapse(accountKey).catch((error: unknown) => {
        log.debug({ err: error, accountKey }, 'interest.lapse_failed')
      })
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      await refreshing
      await Promise.allSettled(underWay.values())
    },
  }
}

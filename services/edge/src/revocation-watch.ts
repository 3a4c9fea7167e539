/**
 * Closes the sockets whose tokens are revoked, as soon as it is told; and looks all of them up when it may have missed something.
 *
 * A revocation may be told while a token that it covers is being looked up. So the latest ones are remembered for as long as a look-up can
 * take: a socket is closed by one or not opened at all.
 */
import type { TokenClaims } from '@signalbox/contracts'
import { backoffDelayMs, delay, type Log } from '@signalbox/kit'
import { type Revocation, type RevocationStore, revokes, type Unsubscribe } from '@signalbox/store'
import { marksOf } from './token-marks.ts'

/** Longer than a look-up in the store may take. */
const REMEMBERED_MS = 10_000
const MAX_REMEMBERED = 1_000
/** Tokens in one question to the store. */
const BATCH = 500

export interface WatchedSocket {
  readonly connection: { readonly claims: TokenClaims; close(why: 'tokenRevoked'): void }
}

export interface RevocationWatchDeps {
  revocations: RevocationStore
  /** Those that are open. */
  sockets: Iterable<WatchedSocket>
  log: Log
}

/** Disposing it: it watches no more. */
export interface RevocationWatch extends AsyncDisposable {
  /** Whether a token with these claims was revoked a moment ago. */
  covers(claims: TokenClaims): boolean
}

/** Watches as soon as the store can be reached. */
export function watchRevocations({
  revocations,
  sockets,
  log,
}: RevocationWatchDeps): RevocationWatch {
  const closing = new AbortController()
  let latest: { revocation: Revocation; toldAtMs: number }[] = []
  let isBehind = false
  let checking: Promise<void> = Promise.resolve()
  let isChecking = false

  const watching = watch()

  async function watch(): Promise<Unsubscribe | undefined> {
    for (let attempt = 1; !closing.signal.aborted; attempt++) {
      try {
        const stop = await revocations.onRevoke(onRevoke, onLost)
        onLost()
        return stop
      } catch (error) {
        log.debug({ err: error }, 'revocations.watch_failed')
        await delay(backoffDelayMs(attempt), closing.signal)
      }
    }
    return undefined
  }

  function onRevoke(revocation: Revocation): void {
    const nowMs = performance.now()
    latest = latest
      .filter(({ toldAtMs }) => nowMs - toldAtMs < REMEMBERED_MS)
      .slice(1 - MAX_REMEMBERED)
    latest.push({ revocation, toldAtMs: nowMs })
    for (const { connection } of sockets) {
      if (isCovered(connection.claims, revocation)) connection.close('tokenRevoked')
    }
  }

  function onLost(): void {
    isBehind = true
    if (!isChecking) checking = checkAll()
  }

  async function checkAll(): Promise<void> {
    isChecking = true
    for (let attempt = 1; isBehind && !closing.signal.aborted; attempt++) {
      isBehind = false
      try {
        await closeRevoked()
      } catch (error) {
        isBehind = true
        log.debug({ err: error }, 'revocations.check_failed')
        await delay(backoffDelayMs(attempt), closing.signal)
      }
    }
    isChecking = false
  }

  async function closeRevoked(): Promise<void> {
    const byAccount = Map.groupBy(sockets, ({ connection }) => connection.claims.account_key)
    for (const [accountKey, all] of byAccount) {
      for (let from = 0; from < all.length; from += BATCH) {
        const batch = all.slice(from, from + BATCH).map(({ connection }) => connection)
        const marks = batch.map(({ claims }) => marksOf(claims))
        const answers = await revocations.areRevoked(accountKey, marks)
        for (const [index, isRevoked] of answers.entries()) {
          if (isRevoked) batch[index]?.close('tokenRevoked')
        }
      }
    }
  }

  return {
    covers: (claims) => latest.some(({ revocation }) => isCovered(claims, revocation)),
    async [Symbol.asyncDispose]() {
      closing.abort()
      const stop = await watching
      await stop?.().catch((error: unknown) => {
        log.debug({ err: error }, 'revocations.unwatch_failed')
      })
      await checking
    },
  }
}

function isCovered(claims: TokenClaims, revocation: Revocation): boolean {
  return claims.account_key === revocation.accountKey && revokes(revocation, marksOf(claims))
}

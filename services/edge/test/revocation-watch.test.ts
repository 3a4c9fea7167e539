import type { TokenClaims } from '@signalbox/contracts'
import { silentLog, UnavailableError } from '@signalbox/kit'
import type { Revocation, RevocationStore } from '@signalbox/store'
import { waitFor } from '@signalbox/testkit'
import { describe, expect, it } from 'vitest'
import { watchRevocations } from '../src/revocation-watch.ts'

/** A store that a test has in its hand. */
function openRevocations() {
  const listeners = new Set<{ hear(revocation: Revocation): void; lose?: () => void }>()
  const revoked = new Set<string>()
  const store = { isAway: false, questions: 0 }
  const revocations: RevocationStore = {
    revoke: () => Promise.reject(new Error('nobody asks for it here')),
    async areRevoked(_accountKey, tokens) {
      store.questions++
      if (store.isAway) throw new UnavailableError('away')
      return tokens.map(({ jti = '' }) => revoked.has(jti))
    },
    async onRevoke(hear, lose) {
      if (store.isAway) throw new UnavailableError('away')
      const listener = { hear, ...(lose ? { lose } : {}) }
      listeners.add(listener)
      return async () => {
        listeners.delete(listener)
      }
    },
  }
  return {
    revocations,
    revoked,
    store,
    listeners,
    tell(revocation: Revocation) {
      for (const { hear } of listeners) hear(revocation)
    },
    lose() {
      for (const { lose } of listeners) lose?.()
    },
  }
}

function socketOf(claims: Partial<TokenClaims>) {
  const closed: string[] = []
  return {
    closed,
    connection: {
      claims: { account_key: 'a', exp: 2e9, ...claims },
      close: (why: string) => void closed.push(why),
    },
  }
}

describe('the watch for revocations', () => {
  it('closes the sockets that one covers, of its account alone', async () => {
    const { revocations, listeners, tell } = openRevocations()
    const [hit, spared, foreign] = [
      socketOf({ jti: '1' }),
      socketOf({ jti: '2' }),
      socketOf({ jti: '1', account_key: 'b' }),
    ]
    await using watch = watchRevocations({
      revocations,
      sockets: [hit!, spared!, foreign!],
      log: silentLog,
    })
    await waitFor(() => listeners.size === 1, { what: 'the watch to begin' })
    tell({ accountKey: 'a', target: { jti: '1' }, atMs: Date.now() })
    expect([hit, spared, foreign].map((socket) => socket?.closed)).toEqual([
      ['tokenRevoked'],
      [],
      [],
    ])
    expect(watch.covers({ account_key: 'a', exp: 2e9, jti: '1' })).toBe(true)
    expect(watch.covers({ account_key: 'a', exp: 2e9, jti: '2' })).toBe(false)
  })

  it('looks all of them up when it may have missed some, and until it can', async () => {
    const { revocations, listeners, revoked, store, lose } = openRevocations()
    const sockets = Array.from({ length: 1_200 }, (_, index) => socketOf({ jti: `t${index}` }))
    await using _watch = watchRevocations({ revocations, sockets, log: silentLog })
    await waitFor(() => listeners.size === 1 && store.questions === 3, {
      what: 'the watch to begin',
    })
    revoked.add('t7').add('t1199')
    store.isAway = true
    lose()
    await waitFor(() => store.questions > 3, { what: 'a first try' })
    store.isAway = false
    await waitFor(() => sockets[1_199]?.closed.length === 1, { what: 'the last to be closed' })
    expect(sockets.filter(({ closed }) => closed.length > 0)).toEqual([sockets[7], sockets[1_199]])
  })

  it('begins when the store is there, and looks at who came before it could', async () => {
    const { revocations, revoked, store } = openRevocations()
    store.isAway = true
    revoked.add('1')
    const early = socketOf({ jti: '1' })
    await using _watch = watchRevocations({ revocations, sockets: [early], log: silentLog })
    store.isAway = false
    await waitFor(() => early.closed.length === 1, { what: 'the socket to be closed' })
  })

  it('ends while the store is away', async () => {
    const { revocations, store } = openRevocations()
    store.isAway = true
    const watch = watchRevocations({ revocations, sockets: [], log: silentLog })
    await watch[Symbol.asyncDispose]()
  })
})

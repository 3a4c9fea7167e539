import type { IncomingMessage } from 'node:http'
import type { TokenClaims } from '@signalbox/contracts'
import { AuthError, UnavailableError } from '@signalbox/kit'
import type { TokenMarks } from '@signalbox/store'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type AdmissionOptions, createAdmission } from '../src/admission.ts'
import { ComeBackLater } from '../src/refusal.ts'

const UNBOUNDED: AdmissionOptions = {
  maxConnections: 1_000,
  maxPerAddress: 1_000,
  maxPerAccount: 1_000,
  maxPerPerson: 1_000,
  accepts: { perSecond: 0, burst: 0 },
  trustedProxies: 0,
}

/** A token is `<account> <person>`, or `<account>` for all of it. */
async function verifyToken(token: string): Promise<TokenClaims> {
  const [account_key = '', sub] = token.split(' ')
  if (account_key === 'nobody') throw new AuthError('SB_UNAUTHENTICATED', 'the token is not valid')
  return { account_key, exp: 2e9, jti: token, ...(sub ? { sub } : { scope: 'account' as const }) }
}

function openAdmission(options: Partial<AdmissionOptions> = {}) {
  const revoked = new Set<string>()
  const recently = new Set<string>()
  const store = { isAway: false }
  return {
    revoked,
    recently,
    store,
    ...createAdmission(
      { ...UNBOUNDED, ...options },
      {
        verifyToken,
        revocations: {
          async areRevoked(_accountKey, tokens: readonly TokenMarks[]) {
            if (store.isAway) throw new UnavailableError('away', { code: 'SB_STORE_UNAVAILABLE' })
            return tokens.map(({ jti = '' }) => revoked.has(jti))
          },
        },
        watch: { covers: ({ jti = '' }) => recently.has(jti) },
      },
    ),
  }
}

function request(token: string, { address = '192.0.2.1', origin = '' } = {}): IncomingMessage {
  return {
    url: `/v1/socket?token=${encodeURIComponent(token)}`,
    headers: origin === '' ? {} : { origin },
    socket: { remoteAddress: address },
  } as unknown as IncomingMessage
}

const refusedWith = (code: string) => expect.objectContaining({ code })

describe('admission', () => {
  it('gives a seat to who has a token, and refuses who has none that counts', async () => {
    const { admit, revoked, recently, store } = openAdmission()
    expect((await admit(request('a p1'))).claims).toMatchObject({ account_key: 'a', sub: 'p1' })
    await expect(admit(request('nobody'))).rejects.toEqual(refusedWith('SB_UNAUTHENTICATED'))
    revoked.add('a p2')
    recently.add('a p3')
    for (const token of ['a p2', 'a p3']) {
      await expect(admit(request(token))).rejects.toThrow('the token has been revoked')
    }
    store.isAway = true
    await expect(admit(request('a p1'))).rejects.toEqual(refusedWith('SB_STORE_UNAVAILABLE'))
  })

  it.each([
    ['the edge', { maxConnections: 2 }, ['a p1', 'b p2'], 'c p3', 'SB_UNAVAILABLE'],
    ['an address', { maxPerAddress: 2 }, ['a p1', 'b p2'], 'c p3', 'SB_TOO_MANY'],
    ['an account', { maxPerAccount: 2 }, ['a p1', 'a'], 'a p3', 'SB_TOO_MANY'],
    ['a person', { maxPerPerson: 2 }, ['a p1', 'a p1'], 'a p1', 'SB_TOO_MANY'],
  ])('seats of %s no more than may be, and again after one has left', async (...row) => {
    const [, options, first, last, code] = row
    const { admit } = openAdmission(options)
    const seats = await Promise.all(first.map((token) => admit(request(token))))
    await expect(admit(request(last))).rejects.toEqual(refusedWith(code))
    // n.b. who was refused must not have kept a part of a seat.
    await expect(admit(request(last))).rejects.toEqual(refusedWith(code))
    seats[0]?.release()
    seats[0]?.release()
    await admit(request(last))
    await expect(admit(request(last))).rejects.toEqual(refusedWith(code))
  })

  it('counts accounts, persons of other accounts, and addresses apart', async () => {
    const { admit } = openAdmission({ maxPerAddress: 1, maxPerAccount: 1, maxPerPerson: 1 })
    await admit(request('a p1', { address: '192.0.2.1' }))
    await admit(request('b p1', { address: '192.0.2.2' }))
    await expect(admit(request('c', { address: '192.0.2.1' }))).rejects.toThrow('the address')
    await expect(admit(request('a', { address: '192.0.2.3' }))).rejects.toThrow('the account')
  })

  it('counts those whose tokens are still being looked at', async () => {
    const { admit } = openAdmission({ maxConnections: 2 })
    const all = await Promise.allSettled(['a', 'b', 'c'].map((token) => admit(request(token))))
    expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
  })

  it('asks pages for their origin, and nobody else', async () => {
    const { admit } = openAdmission({ origins: ['https://example.org'] })
    await admit(request('a', { origin: 'https://Example.org' }))
    await admit(request('a'))
    await expect(admit(request('a', { origin: 'https://example.com' }))).rejects.toEqual(
      refusedWith('SB_FORBIDDEN'),
    )
  })

  it('admits nobody after it was closed, nor whose token was being looked at then', async () => {
    const { admit, close } = openAdmission()
    const waiting = admit(request('a'))
    close()
    await expect(waiting).rejects.toThrow('shutting down')
    await expect(admit(request('a'))).rejects.toThrow('shutting down')
  })
})

describe('a storm', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('is accepted at the pace, and those who are refused are spread over the time it takes', async () => {
    const { admit } = openAdmission({ maxConnections: 1e4, accepts: { perSecond: 50, burst: 100 } })
    const storm = async (count: number) => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: count }, (_, index) => admit(request('a', { address: `${index}` }))),
      )
      return outcomes.map((outcome) => {
        if (outcome.status === 'fulfilled') return 0
        expect(outcome.reason).toBeInstanceOf(ComeBackLater)
        return (outcome.reason as ComeBackLater).retryAfterS
      })
    }
    const waits = await storm(1_000)
    expect(waits.filter((wait) => wait === 0)).toHaveLength(100)
    const spreadS = 900 / 50
    expect(Math.max(...waits)).toBeLessThanOrEqual(1 + spreadS)
    expect(Math.max(...waits)).toBeGreaterThan(spreadS / 2)
    expect(new Set(waits).size).toBeGreaterThan(5)

    // Everybody does as told, and is told again when it was too early: all are in within about the time that the pace needs.
    let waiting = waits.filter((wait) => wait > 0)
    let seconds = 0
    while (waiting.length > 0) {
      vi.advanceTimersByTime(1_000)
      seconds++
      const due = waiting.filter((at) => at <= seconds)
      waiting = waiting.filter((at) => at > seconds)
      for (const wait of await storm(due.length)) if (wait > 0) waiting.push(seconds + wait)
    }
    expect(seconds).toBeGreaterThanOrEqual(spreadS - 1)
    expect(seconds).toBeLessThanOrEqual(3 * spreadS)
  })
})

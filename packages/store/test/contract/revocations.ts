/** What revocations promise on every engine. */
import { waitFor } from '@signalbox/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Revocation, RevocationTarget, Store, TokenMarks } from '../../src/index.ts'
import { type Engine, freshAccount } from '../fixtures.ts'

const MINUTE_MS = 60_000

export function describeRevocations(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open()
  })
  afterAll(() => store.close())

  const isRevoked = async (account: string, token: TokenMarks) =>
    (await store.revocations.areRevoked(account, [token]))[0]

  it('cover the tokens they name and no other, each of many in one question', async () => {
    const account = freshAccount()
    const tokens: TokenMarks[] = [
      { jti: 'a', personKey: 'p1' },
      { jti: 'b', keyId: 'k1' },
      { jti: 'c', keyId: 'k2', personKey: 'p1' },
      { personKey: 'a' },
      {},
    ]
    expect(await store.revocations.areRevoked(account, tokens)).toEqual(tokens.map(() => false))
    await store.revocations.revoke(account, { jti: 'a' }, MINUTE_MS)
    await store.revocations.revoke(account, { keyId: 'k2' }, MINUTE_MS)
    expect(await store.revocations.areRevoked(account, tokens)).toEqual([
      true,
      false,
      true,
      false,
      false,
    ])
    expect(await store.revocations.areRevoked(account, [])).toEqual([])
  })

  it('of a person cover the tokens issued until then, and those that do not say when', async () => {
    const account = freshAccount()
    const beforeMs = Date.now()
    await store.revocations.revoke(account, { personKey: 'p1' }, MINUTE_MS)
    const personKey = 'p1'
    expect(await isRevoked(account, { personKey, issuedAtMs: beforeMs - 1_000 })).toBe(true)
    expect(await isRevoked(account, { personKey })).toBe(true)
    expect(await isRevoked(account, { personKey, issuedAtMs: Date.now() + 2_000 })).toBe(false)
    expect(await isRevoked(account, { personKey: 'p2', issuedAtMs: beforeMs - 1_000 })).toBe(false)
  })

  it('are those of one account', async () => {
    const account = freshAccount()
    await store.revocations.revoke(account, { jti: 'a' }, MINUTE_MS)
    expect(await isRevoked(freshAccount(), { jti: 'a' })).toBe(false)
  })

  it('end when their time is over, the longest of those asked for', async () => {
    const account = freshAccount()
    await store.revocations.revoke(account, { jti: 'long' }, MINUTE_MS)
    await store.revocations.revoke(account, { jti: 'long' }, 1)
    await store.revocations.revoke(account, { jti: 'short' }, 1)
    await waitFor(async () => !(await isRevoked(account, { jti: 'short' })), { what: 'the end' })
    expect(await isRevoked(account, { jti: 'long' })).toBe(true)
  })

  it('are told to every listener until it ends', async () => {
    const account = freshAccount()
    const heard: Revocation[] = []
    const others: Revocation[] = []
    const stop = await store.revocations.onRevoke((revocation) => heard.push(revocation))
    await using stack = new AsyncDisposableStack()
    stack.defer(
      await store.revocations.onRevoke((revocation) => {
        if (revocation.accountKey === account) others.push(revocation)
      }),
    )
    const targets: RevocationTarget[] = [{ jti: 'a' }, { keyId: 'k' }, { personKey: 'p ä' }]
    for (const target of targets) await store.revocations.revoke(account, target, MINUTE_MS)
    await waitFor(() => others.length === 3, { what: 'the revocations to be told' })
    expect(heard.filter(({ accountKey }) => accountKey === account)).toEqual(others)
    expect(others.map(({ target }) => target)).toEqual(targets)
    expect(others.every(({ atMs }) => Math.abs(atMs - Date.now()) < MINUTE_MS)).toBe(true)

    await stop()
    await store.revocations.revoke(account, { jti: 'b' }, MINUTE_MS)
    await waitFor(() => others.length === 4, { what: 'the last to be told' })
    expect(heard.filter(({ accountKey }) => accountKey === account)).toHaveLength(3)
  })

  it('are refused, not let go early, when an account has as many as it may', async () => {
    const account = freshAccount()
    await store.revocations.revoke(account, { jti: 'gone soon' }, 1)
    await waitFor(async () => !(await isRevoked(account, { jti: 'gone soon' })), {
      what: 'the end of the first',
    })
    for (let from = 0; from < 10_000; from += 1_000) {
      await Promise.all(
        Array.from({ length: 1_000 }, (_, index) =>
          store.revocations.revoke(account, { jti: `t${from + index}` }, MINUTE_MS),
        ),
      )
    }
    await expect(
      store.revocations.revoke(account, { jti: 'one more' }, MINUTE_MS),
    ).rejects.toMatchObject({ code: 'SB_TOO_MANY' })
    await store.revocations.revoke(account, { jti: 't0' }, MINUTE_MS)
    expect(await isRevoked(account, { jti: 't0' })).toBe(true)
  })
}

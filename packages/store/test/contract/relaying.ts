/** What interest and the roster of relays promise on every engine. */
import { waitFor } from '@signalbox/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Store } from '../../src/index.ts'
import { type Engine, freshAccount } from '../fixtures.ts'

const MINUTE_MS = 60_000

export function describeInterest(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open()
  })
  afterAll(() => store.close())

  const markOf = async (accountKey: string) => {
    const marks = await store.interest.list()
    return marks.find((mark) => mark.accountKey === accountKey)
  }
  const lapsedAccount = async (): Promise<string> => {
    const account = freshAccount()
    await store.interest.keep(account, 1)
    await store.interest.confirm(account)
    await waitFor(async () => (await markOf(account))?.isLapsed, { what: 'the lapse' })
    return account
  }

  it('is unconfirmed from its beginning until somebody confirms it', async () => {
    const account = freshAccount()
    expect(await store.interest.keep(account, MINUTE_MS)).toEqual({ isConfirmed: false })
    expect(await store.interest.keep(account, MINUTE_MS)).toEqual({ isConfirmed: false })
    await store.interest.confirm(account)
    expect(await store.interest.keep(account, MINUTE_MS)).toEqual({ isConfirmed: true })
    expect(await markOf(account)).toEqual({ accountKey: account, isLapsed: false })
  })

  it('cannot be confirmed when there is none', async () => {
    const account = freshAccount()
    await store.interest.confirm(account)
    expect(await store.interest.keep(account, MINUTE_MS)).toEqual({ isConfirmed: false })
  })

  it('tells which of several accounts there is interest in, lapsed or not', async () => {
    const [kept, lapsed, other] = [freshAccount(), await lapsedAccount(), freshAccount()]
    await store.interest.keep(kept, MINUTE_MS)
    expect(await store.interest.among([other, kept, lapsed])).toEqual(new Set([kept, lapsed]))
    expect(await store.interest.among([])).toEqual(new Set())
  })

  it('is never shortened', async () => {
    const account = freshAccount()
    await store.interest.keep(account, MINUTE_MS)
    await store.interest.keep(account, 1)
    const other = await lapsedAccount()
    expect(await markOf(other)).toMatchObject({ isLapsed: true })
    expect(await markOf(account)).toMatchObject({ isLapsed: false })
  })

  it('neither lapses nor ends while somebody keeps it', async () => {
    const account = freshAccount()
    await store.interest.keep(account, MINUTE_MS)
    await store.interest.confirm(account)
    expect(await store.interest.lapse(account)).toBe(false)
    expect(await store.interest.end(account)).toBe(false)
    expect(await store.interest.keep(account, MINUTE_MS)).toEqual({ isConfirmed: true })
  })

  it('is there, unconfirmed, from its lapse to its end', async () => {
    const account = await lapsedAccount()
    expect(await store.interest.lapse(account)).toBe(true)
    expect(await store.interest.among([account])).toEqual(new Set([account]))
    expect(await store.interest.end(account)).toBe(true)
    expect(await markOf(account)).toBeUndefined()
    expect(await store.interest.lapse(account)).toBe(true)
    expect(await store.interest.end(account)).toBe(true)
  })

  it('is not ended when somebody began to keep it again after the lapse', async () => {
    const account = await lapsedAccount()
    expect(await store.interest.lapse(account)).toBe(true)
    expect(await store.interest.keep(account, MINUTE_MS)).toEqual({ isConfirmed: false })
    expect(await store.interest.end(account)).toBe(false)
    expect(await markOf(account)).toEqual({ accountKey: account, isLapsed: false })
  })

  it('refuses what is no account key', async () => {
    const wrong = 'no account}'
    for (const call of [
      store.interest.keep(wrong, 1),
      store.interest.confirm(wrong),
      store.interest.lapse(wrong),
      store.interest.end(wrong),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 'SB_INVALID_INPUT' })
    }
  })
}

export function describeRoster(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open()
  })
  afterAll(() => store.close())

  it('tells who runs, the first who came first, until they leave or are not heard of', async () => {
    expect(await store.relays.announce('b', MINUTE_MS)).toEqual(['b'])
    const before = Date.now()
    await waitFor(() => Date.now() > before + 1, { what: 'the clock to go on', intervalMs: 1 })
    expect(await store.relays.announce('a', MINUTE_MS)).toEqual(['b', 'a'])
    expect(await store.relays.announce('b', MINUTE_MS)).toEqual(['b', 'a'])
    await store.relays.announce('c', 1)
    await waitFor(async () => (await store.relays.announce('b', MINUTE_MS)).length === 2, {
      what: 'the end of c',
    })
    await store.relays.leave('b')
    await store.relays.leave('b')
    expect(await store.relays.announce('a', MINUTE_MS)).toEqual(['a'])
    await store.relays.announce('b', MINUTE_MS)
  })
}

/** What presence promises on every engine. */
import { waitFor } from '@signalbox/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AccountPresence, Store } from '../../src/index.ts'
import { type Engine, freshAccount } from '../fixtures.ts'

const MINUTE_MS = 60_000

const presenceOf = (...persons: string[]): AccountPresence => ({
  connections: persons.length + 1,
  subscriptions: 3,
  persons: persons.map((personKey) => ({ personKey, connections: 1, subscriptions: 2 })),
})
const NOBODY: AccountPresence = { connections: 0, subscriptions: 0, persons: [] }

export function describePresence(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open()
  })
  afterAll(() => store.close())

  it('is what each edge said last of the account', async () => {
    const [account, other] = [freshAccount(), freshAccount()]
    expect(await store.presence.read(account)).toEqual(new Map())
    const first = new Map([
      [account, presenceOf('p1')],
      [other, presenceOf('p ä"')],
    ])
    await store.presence.report('edge-1', first, MINUTE_MS)
    await store.presence.report('edge-2', new Map([[account, presenceOf()]]), MINUTE_MS)
    await store.presence.report('edge-1', new Map([[account, presenceOf('p2')]]), MINUTE_MS)
    expect(await store.presence.read(account)).toEqual(
      new Map([
        ['edge-1', presenceOf('p2')],
        ['edge-2', presenceOf()],
      ]),
    )
    expect(await store.presence.read(other)).toEqual(new Map([['edge-1', presenceOf('p ä"')]]))
  })

  it('ends when an edge says that nobody is there, and when it says nothing for its time', async () => {
    const account = freshAccount()
    await store.presence.report('edge-1', new Map([[account, presenceOf('p1')]]), MINUTE_MS)
    await store.presence.report('edge-2', new Map([[account, presenceOf('p2')]]), MINUTE_MS)
    await store.presence.report('edge-1', new Map([[account, NOBODY]]), MINUTE_MS)
    expect([...(await store.presence.read(account)).keys()]).toEqual(['edge-2'])
    await store.presence.report('edge-2', new Map([[account, presenceOf('p2')]]), 1)
    await waitFor(async () => (await store.presence.read(account)).size === 0, { what: 'the end' })
  })
}

/** What progress promises on every engine. */
import { waitFor } from '@signalbox/testkit'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Store } from '../../src/index.ts'
import { anyJson, type Engine, freshAccount, HARD_JSON } from '../fixtures.ts'

export function describeProgress(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open()
  })
  afterAll(() => store.close())

  it('begins a piece of work once, and tells who comes later its plan, then its outcome', async () => {
    const account = freshAccount()
    const begin = (plan: string) => store.progress.begin(account, 'e', 'dispatch', plan)
    expect(await begin('first')).toEqual({ state: 'new' })
    expect(await begin('second')).toEqual({ state: 'begun', plan: 'first' })
    expect(await store.progress.outcome(account, 'e', 'dispatch')).toBeUndefined()
    await store.progress.finish(account, 'e', 'dispatch', 'outcome')
    expect(await begin('third')).toEqual({ state: 'done', outcome: 'outcome' })
    expect(await store.progress.outcome(account, 'e', 'dispatch')).toBe('outcome')
  })

  it('lets one of many who begin at once be the first', async () => {
    const account = freshAccount()
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, plan) => store.progress.begin(account, 'e', 'w', plan)),
    )
    expect(all.filter(({ state }) => state === 'new')).toHaveLength(1)
  })

  it('keeps apart accounts, events and pieces of work', async () => {
    const [account, other] = [freshAccount(), freshAccount()]
    await store.progress.finish(account, 'e', 'w', 1)
    expect(await store.progress.begin(other, 'e', 'w', 0)).toEqual({ state: 'new' })
    expect(await store.progress.begin(account, 'f', 'w', 0)).toEqual({ state: 'new' })
    expect(await store.progress.begin(account, 'e', 'v', 0)).toEqual({ state: 'new' })
    expect(await store.progress.outcome(account, 'e', 'w')).toBe(1)
  })

  it('keeps any JSON as plan and as outcome', async () => {
    const account = freshAccount()
    let count = 0
    const keeps = async (json: typeof HARD_JSON) => {
      count += 1
      const work = `w${count}`
      await store.progress.begin(account, 'e', work, json)
      expect(await store.progress.begin(account, 'e', work, 0)).toEqual({
        state: 'begun',
        plan: json,
      })
      await store.progress.finish(account, 'e', work, json)
      expect(await store.progress.outcome(account, 'e', work)).toEqual(json)
    }
    await keeps(HARD_JSON)
    await fc.assert(fc.asyncProperty(anyJson(), keeps), { numRuns: engine.runs })
  })

  it('forgets an event that nothing was done for in the time that is kept, and no other', async () => {
    await using brief = engine.open({ progressTtlMs: 150 })
    const account = freshAccount()
    await brief.progress.finish(account, 'old', 'w', 1)
    await brief.progress.finish(account, 'busy', 'w', 1)
    await waitFor(
      async () => {
        await brief.progress.finish(account, 'busy', 'v', 2)
        return (await brief.progress.outcome(account, 'old', 'w')) === undefined
      },
      { what: 'the old one to be forgotten', timeoutMs: 3_000 },
    )
    expect(await brief.progress.outcome(account, 'busy', 'w')).toBe(1)
    expect(await brief.progress.begin(account, 'old', 'w', 0)).toEqual({ state: 'new' })
  })
}

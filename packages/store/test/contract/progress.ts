/** What progress promises on every engine. */
import { waitFor } from '@signalbox/testkit'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Store } from '../../src/index.ts'
import {
  anyJson,
  type Engine,
  ended,
  freshAccount,
  HARD_JSON,
  matched,
  received,
  step,
} from '../fixtures.ts'

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

  it('completes a piece of work in one step unless somebody began it', async () => {
    const account = freshAccount()
    const { progress, biographies } = store
    const facts = [received('e'), matched('r')]
    expect(await progress.complete(account, 'e', 'w', 'first', facts)).toEqual({ state: 'new' })
    expect(await biographies.get(account, 'e')).toMatchObject({ outcome: 'pending' })
    expect(await progress.complete(account, 'e', 'w', 'second', [ended('r')])).toEqual({
      state: 'done',
      outcome: 'first',
    })
    expect(await progress.outcome(account, 'e', 'w')).toBe('first')
    await progress.begin(account, 'e', 'v', 'plan')
    expect(await progress.complete(account, 'e', 'v', 'third', [ended('r')])).toEqual({
      state: 'begun',
      plan: 'plan',
    })
    expect(await progress.outcome(account, 'e', 'v')).toBeUndefined()
    expect(await biographies.get(account, 'e')).toMatchObject({ outcome: 'pending' })
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
      await store.progress.complete(account, 'f', work, json)
      expect(await store.progress.outcome(account, 'f', work)).toEqual(json)
    }
    await keeps(HARD_JSON)
    await fc.assert(fc.asyncProperty(anyJson(), keeps), { numRuns: engine.runs })
  })

  it('forgets an event that nothing was done for in the time that is kept, and no other', async () => {
    await using brief = engine.open({ progressTtlMs: 150 })
    const account = freshAccount()
    await brief.progress.finish(account, 'old', 'w', 1)
    await brief.progress.finish(account, 'busy', 'w', 1)
    let count = 0
    await waitFor(
      async () => {
        count += 1
        await brief.progress.finish(account, 'busy', `v${count}`, 2)
        return (await brief.progress.outcome(account, 'old', 'w')) === undefined
      },
      { what: 'the old one to be forgotten', timeoutMs: 3_000 },
    )
    expect(await brief.progress.outcome(account, 'busy', 'w')).toBe(1)
    expect(await brief.progress.begin(account, 'old', 'w', 0)).toEqual({ state: 'new' })
  })

  it('forgets no event while work on it is begun again and again', async () => {
    await using brief = engine.open({ progressTtlMs: 150 })
    const account = freshAccount()
    await brief.progress.finish(account, 'old', 'w', 1)
    await brief.progress.finish(account, 'busy', 'w', 1)
    await waitFor(
      async () => {
        await brief.progress.begin(account, 'busy', 'v', 0)
        return (await brief.progress.outcome(account, 'old', 'w')) === undefined
      },
      { what: 'the old one to be forgotten', timeoutMs: 3_000 },
    )
    expect(await brief.progress.outcome(account, 'busy', 'w')).toBe(1)
  })

  it('tells the biography in the same step, of work that is begun for the first time or done', async () => {
    const account = freshAccount()
    const { progress, biographies } = store
    await progress.begin(account, 'e', 'dispatch', 0, [received('e'), matched('r')])
    expect(await biographies.get(account, 'e')).toMatchObject({ outcome: 'pending' })
    await progress.begin(account, 'e', 'dispatch', 0, [step('r', 'never')])
    await progress.finish(account, 'e', 'w', 0, [step('r', 'one'), ended('r')])
    await progress.begin(account, 'e', 'w', 0, [step('r', 'never')])
    const biography = await biographies.get(account, 'e')
    expect(biography?.outcome).toBe('succeeded')
    expect(biography?.runs[0]?.steps.map(({ step_id }) => step_id)).toEqual(['one'])
  })

  it('forgets the oldest beyond the count that is kept, and tells how many', async () => {
    await using small = engine.open({ maxProgress: 3 })
    const [account, other] = [freshAccount(), freshAccount()]
    const told: [string, number][] = []
    small.progress.onForgotten((accountKey, count) => told.push([accountKey, count]))
    await small.progress.finish(other, 'a', 'w', 0)
    for (const eventId of ['a', 'b', 'c', 'd', 'e']) {
      await small.progress.begin(account, eventId, 'w', 0)
      await small.progress.finish(account, eventId, 'w', 1)
    }
    await waitFor(() => told.length === 2, { what: 'two to be forgotten' })
    expect(told).toEqual([
      [account, 1],
      [account, 1],
    ])
    expect(await small.progress.forgotten(account)).toBe(2)
    expect(await small.progress.forgotten(other)).toBe(0)
    const outcomes = ['a', 'b', 'c', 'd', 'e'].map((eventId) =>
      small.progress.outcome(account, eventId, 'w'),
    )
    expect(await Promise.all(outcomes)).toEqual([undefined, undefined, 1, 1, 1])
    expect(await small.progress.outcome(other, 'a', 'w')).toBe(0)
  })

  it('forgets no event whose work is begun and not done, but one that began later', async () => {
    await using small = engine.open({ maxProgress: 2 })
    const account = freshAccount()
    await small.progress.finish(account, 'busy', 'v', 0)
    await small.progress.begin(account, 'busy', 'w', 'plan')
    for (const eventId of ['a', 'b', 'c', 'd']) {
      await small.progress.finish(account, eventId, 'w', 1)
    }
    await waitFor(async () => (await small.progress.forgotten(account)) === 2, {
      what: 'two to be forgotten',
    })
    expect(await small.progress.begin(account, 'busy', 'w', 0)).toEqual({
      state: 'begun',
      plan: 'plan',
    })
    await small.progress.finish(account, 'busy', 'w', 1)
    await small.progress.finish(account, 'e', 'w', 1)
    await small.progress.finish(account, 'f', 'w', 1)
    await waitFor(async () => (await small.progress.forgotten(account)) === 5, {
      what: 'what is done meanwhile to be forgotten',
    })
    expect(await small.progress.outcome(account, 'busy', 'w')).toBeUndefined()
  })
}

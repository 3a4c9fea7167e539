/** What biographies promise on every engine. */
import type { BiographyFact } from '@signalbox/contracts'
import { waitFor } from '@signalbox/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { EventFilter, Store } from '../../src/index.ts'
import {
  type Engine,
  ended,
  freshAccount,
  HARD_JSON,
  matched,
  readAll,
  received,
  step,
} from '../fixtures.ts'

export function describeBiographies(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open()
  })
  afterAll(() => store.close())

  const record = (account: string, eventId: string, facts: BiographyFact[], into: Store = store) =>
    into.biographies.record([{ accountKey: account, eventId, facts }])
  const idsOf = async (account: string, filter: EventFilter = {}, from: Store = store) => {
    const { items } = await readAll((options) => from.biographies.list(account, filter, options))
    return items.map(({ event_id }) => event_id)
  }

  it('reads the facts of an event as its biography', async () => {
    const account = freshAccount()
    await record(account, 'e', [received('e', { event_data: { hard: HARD_JSON } }), matched('r')])
    expect(await store.biographies.get(account, 'e')).toMatchObject({
      event: { event_id: 'e', event_data: { hard: HARD_JSON } },
      outcome: 'pending',
      runs: [{ run_id: 'r', status: 'running', steps: [] }],
    })
    await record(account, 'e', [step('r', 'one')])
    await record(account, 'e', [step('r', 'two'), ended('r')])
    const biography = await store.biographies.get(account, 'e')
    expect(biography).toMatchObject({ outcome: 'succeeded', runs: [{ status: 'succeeded' }] })
    expect(biography?.runs[0]?.steps.map(({ step_id }) => step_id)).toEqual(['one', 'two'])
    expect(await store.biographies.get(account, 'other')).toBeUndefined()
  })

  it('keeps steps in the order in which they were recorded, however many', async () => {
    const account = freshAccount()
    const names = Array.from({ length: 600 }, (_, index) => `s${(index * 257) % 600}`)
    await record(account, 'e', [received('e'), matched('r')])
    for (const name of names) void record(account, 'e', [step('r', name)])
    await record(account, 'e', [ended('r')])
    const biography = await store.biographies.get(account, 'e')
    expect(biography?.runs[0]?.steps.map(({ step_id }) => step_id)).toEqual(names)
  })

  it('counts facts that were recorded twice once', async () => {
    const account = freshAccount()
    const facts = [received('e'), matched('r'), step('r', 'one'), ended('r')]
    await Promise.all([record(account, 'e', facts), record(account, 'e', facts)])
    await record(account, 'e', facts)
    const biography = await store.biographies.get(account, 'e')
    expect(biography?.runs).toHaveLength(1)
    expect(biography?.runs[0]?.steps).toHaveLength(1)
    expect(await idsOf(account)).toEqual(['e'])
  })

  it('takes facts that were recorded before their event was', async () => {
    const account = freshAccount()
    await record(account, 'e', [step('r', 'one')])
    expect(await store.biographies.get(account, 'e')).toBeUndefined()
    expect(await idsOf(account)).toEqual([])
    await record(account, 'e', [received('e'), matched('r')])
    expect((await store.biographies.get(account, 'e'))?.runs[0]?.steps).toHaveLength(1)
    expect(await idsOf(account)).toEqual(['e'])
  })

  it('shows an account only its own events, although two may share an event_id', async () => {
    const [one, other] = [freshAccount(), freshAccount()]
    await store.biographies.record([
      { accountKey: one, eventId: 'e', facts: [received('e', { event_type: 'one' })] },
      { accountKey: other, eventId: 'e', facts: [received('e', { event_type: 'other' })] },
    ])
    expect((await store.biographies.get(one, 'e'))?.event.event_type).toBe('one')
    expect((await store.biographies.get(other, 'e'))?.event.event_type).toBe('other')
    expect(await idsOf(freshAccount())).toEqual([])
  })

  it('keeps an event of 256 KiB', async () => {
    const account = freshAccount()
    const text = 'x'.repeat(256 * 1024)
    await record(account, 'e', [received('e', { event_data: { text } })])
    expect((await store.biographies.get(account, 'e'))?.event.event_data).toEqual({ text })
  })

  it('lists the newest first, in pages', async () => {
    const account = freshAccount()
    const ids = Array.from({ length: 7 }, (_, index) => `e${index}`)
    for (const id of ids) await record(account, id, [received(id)])
    const { items, pages } = await readAll(
      (options) => store.biographies.list(account, {}, options),
      3,
    )
    expect(items.map(({ event_id }) => event_id)).toEqual([...ids].reverse())
    expect(pages).toBe(3)
    expect(items[0]).toMatchObject({ event_type: 'poll_complete', outcome: 'pending', runs: 0 })
  })

  it('goes on where a page ended when events arrive in between', async () => {
    const account = freshAccount()
    for (const id of ['a', 'b', 'c', 'd']) await record(account, id, [received(id)])
    const first = await store.biographies.list(account, {}, { limit: 2 })
    await record(account, 'new', [received('new')])
    const second = await store.biographies.list(account, {}, { limit: 2, cursor: first.next! })
    expect([...first.items, ...second.items].map(({ event_id }) => event_id)).toEqual([
      'd',
      'c',
      'b',
      'a',
    ])
  })

  it.each<[string, EventFilter, string[]]>([
    ['conversation type', { conversationType: 'flow' }, ['b']],
    ['event type', { eventType: 'started' }, ['c', 'b']],
    ['conversation', { conversationKey: 'autumn' }, ['c']],
    ['person', { personKey: 'p1' }, ['d', 'a']],
    ['outcome', { outcome: 'succeeded' }, ['d']],
    ['two of them', { personKey: 'p1', outcome: 'pending' }, ['a']],
    ['nothing that is there', { personKey: 'nobody' }, []],
  ])('filters by %s', async (_what, filter, expected) => {
    const account = freshAccount()
    await record(account, 'a', [received('a', { person_key: 'p1' })])
    await record(account, 'b', [
      received('b', { conversation_type: 'flow', event_type: 'started' }),
    ])
    await record(account, 'c', [
      received('c', { event_type: 'started', conversation_key: 'autumn' }),
    ])
    await record(account, 'd', [received('d', { person_key: 'p1' }), matched('r'), ended('r')])
    expect(await idsOf(account, filter)).toEqual(expected)
  })

  it('looks through a bounded number of events per page, and finds the match in a later one', async () => {
    const account = freshAccount()
    await record(account, 'wanted', [received('wanted', { person_key: 'p1' })])
    const ids = Array.from({ length: 2_500 }, (_, index) => `e${index}`)
    await store.biographies.record(
      ids.map((eventId) => ({ accountKey: account, eventId, facts: [received(eventId)] })),
    )
    const first = await store.biographies.list(account, { personKey: 'p1' })
    expect(first).toEqual({ items: [], next: expect.any(String) })
    const { items, pages } = await readAll((options) =>
      store.biographies.list(account, { personKey: 'p1' }, options),
    )
    expect(items.map(({ event_id }) => event_id)).toEqual(['wanted'])
    expect(pages).toBe(3)
    expect(await idsOf(account)).toEqual([...ids.reverse(), 'wanted'])
  })

  it('drops the oldest beyond the bound and counts them', async () => {
    await using small = engine.open({ maxBiographies: 3 })
    const account = freshAccount()
    for (const id of ['a', 'b', 'c', 'd', 'e']) await record(account, id, [received(id)], small)
    expect(await idsOf(account, {}, small)).toEqual(['e', 'd', 'c'])
    expect(await small.biographies.get(account, 'a')).toBeUndefined()
    expect(await small.biographies.forgotten(account)).toBe(2)
    expect(await small.biographies.forgotten(freshAccount())).toBe(0)
  })

  it('does not bring a forgotten event back when a late fact arrives', async () => {
    await using small = engine.open({ maxBiographies: 1 })
    const account = freshAccount()
    for (const id of ['a', 'b']) await record(account, id, [received(id)], small)
    await record(account, 'a', [step('r', 'late')], small)
    expect(await idsOf(account, {}, small)).toEqual(['b'])
    expect(await small.biographies.forgotten(account)).toBe(1)
  })

  it('forgets what is too old and counts it', async () => {
    await using brief = engine.open({ biographyTtlMs: 60 })
    const account = freshAccount()
    await record(account, 'a', [received('a')], brief)
    await waitFor(async () => (await brief.biographies.forgotten(account)) === 1, {
      what: 'the biography to be forgotten',
    })
    expect(await brief.biographies.get(account, 'a')).toBeUndefined()
    expect(await idsOf(account, {}, brief)).toEqual([])
  })

  it.each([
    ['nonsense', 'nonsense'],
    ['of another listing', Buffer.from('chains\na').toString('base64url')],
    ['with another position', Buffer.from('events\nfoo').toString('base64url')],
  ])('refuses a cursor that is %s and names it', async (_what, cursor) => {
    await expect(store.biographies.list(freshAccount(), {}, { cursor })).rejects.toMatchObject({
      code: 'SB_INVALID_INPUT',
      details: [{ path: 'cursor' }],
    })
  })
}

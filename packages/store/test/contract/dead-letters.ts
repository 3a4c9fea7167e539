/** What dead letters promise on every engine. */
import { waitFor } from '@signalbox/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { DeadLetterFilter, NewDeadLetter, Store } from '../../src/index.ts'
import { AT, deadLetter, type Engine, freshAccount, HARD_JSON, readAll } from '../fixtures.ts'

const LATER = '2026-03-04T06:00:00.000Z'

export function describeDeadLetters(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open()
  })
  afterAll(() => store.close())

  const keep = (
    account: string,
    id: string,
    fields: Partial<NewDeadLetter> = {},
    into: Store = store,
  ) => into.deadLetters.keep(deadLetter(account, id, fields))
  const idsOf = async (account: string, filter: DeadLetterFilter = {}, from: Store = store) => {
    const { items } = await readAll((options) => from.deadLetters.list(account, filter, options))
    return items.map(({ dead_letter_id }) => dead_letter_id)
  }

  it('keeps a letter as it came, open', async () => {
    const account = freshAccount()
    await keep(account, 'd', { body: { json: HARD_JSON }, path: ['a', 'b'], handler: 'send_sms' })
    const { body, ...summary } = deadLetter(account, 'd', { path: ['a', 'b'], handler: 'send_sms' })
    const kept = { ...summary, occurrences: 1, first_at: AT, state: 'open' }
    expect(await store.deadLetters.get(account, 'd')).toMatchObject({
      ...kept,
      body: { json: HARD_JSON },
    })
    const { items } = await store.deadLetters.list(account, {})
    expect(items).toMatchObject([kept])
    expect(items[0]).not.toHaveProperty('body')
    expect(body).toEqual({ json: { id: 'd' } })
    expect(await store.deadLetters.get(account, 'other')).toBeUndefined()
  })

  it('keeps a body of 2 MiB', async () => {
    const account = freshAccount()
    const base64 = 'x'.repeat(2 * 1024 * 1024)
    await keep(account, 'd', { body: { base64 } })
    expect((await store.deadLetters.get(account, 'd'))?.body).toEqual({ base64 })
  })

  it('changes nothing when the same letter is delivered again, whatever its state', async () => {
    const account = freshAccount()
    await keep(account, 'd')
    await store.deadLetters.update(account, 'd', (letter) => ({ ...letter, state: 'replayed' }))
    await Promise.all([keep(account, 'd'), keep(account, 'd')])
    expect(await store.deadLetters.get(account, 'd')).toMatchObject({
      state: 'replayed',
      occurrences: 1,
    })
    expect(await idsOf(account)).toEqual(['d'])
  })

  it.each([
    ['open', 'open'],
    ['replaying', 'open'],
    ['replayed', 'open'],
    ['discarded', 'discarded'],
  ] as const)(
    'counts a message that fails again while it is %s, and it is then %s',
    async (state, after) => {
      const account = freshAccount()
      await keep(account, 'd')
      await store.deadLetters.update(account, 'd', (letter) => ({
        ...letter,
        state,
        replay: { kind: 'message' },
      }))
      await keep(account, 'd', { at: LATER, message: 'it said 501' })
      expect(await store.deadLetters.get(account, 'd')).toMatchObject({
        state: after,
        at: LATER,
        first_at: AT,
        message: 'it said 501',
        occurrences: 2,
      })
    },
  )

  it('lets one of many who change a letter at once win, and each sees what the one before left', async () => {
    const account = freshAccount()
    await keep(account, 'd')
    const changes = Array.from({ length: 10 }, () =>
      store.deadLetters.update(account, 'd', (letter) => ({
        ...letter,
        occurrences: letter.occurrences + 1,
      })),
    )
    await Promise.all(changes)
    expect((await store.deadLetters.get(account, 'd'))?.occurrences).toBe(11)
  })

  it('leaves a letter as it is when the change refuses it, and knows none that is not there', async () => {
    const account = freshAccount()
    await keep(account, 'd')
    const refused = store.deadLetters.update(account, 'd', () => {
      throw new Error('not this one')
    })
    await expect(refused).rejects.toThrow('not this one')
    expect((await store.deadLetters.get(account, 'd'))?.state).toBe('open')
    expect(await store.deadLetters.update(account, 'e', (letter) => letter)).toBeUndefined()
  })

  it('shows an account only its own letters, although two may share an identity', async () => {
    const [one, other] = [freshAccount(), freshAccount()]
    await keep(one, 'd', { code: 'ONE' })
    await keep(other, 'd', { code: 'OTHER' })
    expect((await store.deadLetters.get(one, 'd'))?.code).toBe('ONE')
    expect((await store.deadLetters.get(other, 'd'))?.code).toBe('OTHER')
    expect(await idsOf(freshAccount())).toEqual([])
  })

  it('lists the newest first, in pages that go on where they ended when letters arrive', async () => {
    const account = freshAccount()
    for (const id of ['a', 'b', 'c', 'd', 'e']) await keep(account, id)
    const first = await store.deadLetters.list(account, {}, { limit: 2 })
    await keep(account, 'new')
    const { items } = await readAll(({ cursor = first.next! }) =>
      store.deadLetters.list(account, {}, { limit: 2, cursor }),
    )
    expect([...first.items, ...items].map(({ dead_letter_id }) => dead_letter_id)).toEqual([
      'e',
      'd',
      'c',
      'b',
      'a',
    ])
  })

  it.each<[string, DeadLetterFilter, string[]]>([
    ['code', { code: 'SB_HOP_LIMIT' }, ['b']],
    ['handler', { handler: 'send_sms' }, ['c', 'a']],
    ['no handler', { handler: null }, ['b']],
    ['chain', { chainId: 'thanks' }, ['c']],
    ['no chain', { chainId: null }, ['b', 'a']],
    ['kind of event', { conversationType: 'poll', eventType: 'done' }, ['b']],
    ['event', { eventId: 'e1' }, ['c']],
    ['state', { state: 'discarded' }, ['a']],
    ['time', { sinceMs: Date.parse(AT) + 1, untilMs: Date.parse(LATER) + 1 }, ['c']],
    ['the time before', { untilMs: Date.parse(LATER) }, ['b', 'a']],
    ['what is not there', { code: 'NONE' }, []],
  ])('filters by %s', async (_what, filter, expected) => {
    const account = freshAccount()
    await keep(account, 'a', { handler: 'send_sms' })
    await keep(account, 'b', {
      code: 'SB_HOP_LIMIT',
      conversation_type: 'poll',
      event_type: 'done',
    })
    await keep(account, 'c', {
      handler: 'send_sms',
      chain_id: 'thanks',
      event_id: 'e1',
      at: LATER,
    })
    await store.deadLetters.update(account, 'a', (letter) => ({ ...letter, state: 'discarded' }))
    expect(await idsOf(account, filter)).toEqual(expected)
  })

  it('groups letters by their cause, the most frequent first', async () => {
    const account = freshAccount()
    await keep(account, 'a', { code: 'SB_HOP_LIMIT' })
    await keep(account, 'b', { handler: 'send_sms', chain_id: 'thanks' })
    await keep(account, 'c', { handler: 'send_sms', chain_id: 'thanks', at: LATER })
    await store.deadLetters.update(account, 'c', (letter) => ({ ...letter, state: 'replayed' }))
    const none = { open: 0, replaying: 0, replayed: 0, discarded: 0 }
    expect(await store.deadLetters.groups(account, {})).toEqual([
      {
        code: 'GATEWAY',
        handler: 'send_sms',
        chain_id: 'thanks',
        count: 2,
        states: { ...none, open: 1, replayed: 1 },
        first_seen: AT,
        last_seen: LATER,
      },
      {
        code: 'SB_HOP_LIMIT',
        count: 1,
        states: { ...none, open: 1 },
        first_seen: AT,
        last_seen: AT,
      },
    ])
    expect(await store.deadLetters.groups(account, { state: 'open', handler: null })).toHaveLength(
      1,
    )
  })

  it('looks through a bounded number of letters per page, and finds the match in a later one', async () => {
    const account = freshAccount()
    await keep(account, 'wanted', { code: 'WANTED' })
    await Promise.all(Array.from({ length: 2_100 }, (_, index) => keep(account, `d${index}`)))
    const first = await store.deadLetters.list(account, { code: 'WANTED' })
    expect(first).toEqual({ items: [], next: expect.any(String) })
    expect(await idsOf(account, { code: 'WANTED' })).toEqual(['wanted'])
    expect(await idsOf(account)).toHaveLength(2_101)
    expect((await store.deadLetters.groups(account, {})).map(({ count }) => count)).toEqual([
      2_100, 1,
    ])
  })

  it('drops the oldest beyond the bound, says so, and counts them', async () => {
    await using small = engine.open({ maxDeadLetters: 2 })
    const account = freshAccount()
    const outcomes = []
    for (const id of ['a', 'b', 'c', 'd']) outcomes.push(await keep(account, id, {}, small))
    expect(outcomes.map(({ forgotten }) => forgotten)).toEqual([0, 0, 1, 1])
    expect(await idsOf(account, {}, small)).toEqual(['d', 'c'])
    expect(await small.deadLetters.get(account, 'a')).toBeUndefined()
    expect(await small.deadLetters.forgotten(account)).toBe(2)
    expect(await small.deadLetters.forgotten(freshAccount())).toBe(0)
  })

  it('forgets what is too old and counts it', async () => {
    await using brief = engine.open({ deadLetterTtlMs: 60 })
    const account = freshAccount()
    await keep(account, 'a', {}, brief)
    await waitFor(async () => (await brief.deadLetters.forgotten(account)) === 1, {
      what: 'the dead letter to be forgotten',
    })
    expect(await brief.deadLetters.get(account, 'a')).toBeUndefined()
    expect(await idsOf(account, {}, brief)).toEqual([])
  })

  it('refuses a cursor of another listing and names it', async () => {
    const cursor = Buffer.from('events\n1 a').toString('base64url')
    await expect(store.deadLetters.list(freshAccount(), {}, { cursor })).rejects.toMatchObject({
      code: 'SB_INVALID_INPUT',
      details: [{ path: 'cursor' }],
    })
  })
}

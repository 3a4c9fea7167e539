/** What deliveries promise on every engine. */
import { waitFor } from '@signalbox/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { DeliveryFilter, Store } from '../../src/index.ts'
import { AT, aDelivery, type Engine, freshAccount, HARD_JSON, readAll } from '../fixtures.ts'

const LATER = '2026-03-04T06:00:00.000Z'

const failed = { outcome: 'refused', status: 500, code: 'HTTP_500' } as const

export function describeDeliveries(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open()
  })
  afterAll(() => store.close())

  const idsOf = async (account: string, filter: DeliveryFilter = {}, from = store, limit = 100) => {
    const { items } = await readAll(
      (options) => from.deliveries.list(account, 'shop', filter, options),
      limit,
    )
    return items.map(({ delivery_id }) => delivery_id)
  }

  it('returns a delivery as it was recorded, of its account and listener only', async () => {
    const account = freshAccount()
    const kept = aDelivery('d', { request: { hard: HARD_JSON }, response_excerpt: 'thanks' })
    await store.deliveries.record(account, [kept])
    expect(await store.deliveries.get(account, 'shop', 'd')).toEqual(kept)
    expect(await store.deliveries.get(account, 'other', 'd')).toBeUndefined()
    expect(await store.deliveries.get(freshAccount(), 'shop', 'd')).toBeUndefined()
  })

  it('lists the newest first, in pages that go on where they ended when others are recorded', async () => {
    const account = freshAccount()
    await store.deliveries.record(
      account,
      ['a', 'b', 'c'].map((id) => aDelivery(id)),
    )
    await store.deliveries.record(account, [aDelivery('d'), aDelivery('e')])
    const first = await store.deliveries.list(account, 'shop', {}, { limit: 2 })
    await store.deliveries.record(account, [aDelivery('new')])
    const { items } = await readAll(({ cursor = first.next! }) =>
      store.deliveries.list(account, 'shop', {}, { limit: 2, cursor }),
    )
    const ids = [...first.items, ...items].map(({ delivery_id }) => delivery_id)
    expect(ids).toEqual(['e', 'd', 'c', 'b', 'a'])
  })

  it.each<[string, DeliveryFilter, string[]]>([
    ['an outcome', { outcome: 'refused' }, ['b']],
    ['all that failed', { outcome: 'failed' }, ['c', 'b']],
    ['what was delivered', { outcome: 'delivered' }, ['a']],
    ['event', { eventId: 'other' }, ['c']],
    ['time', { sinceMs: Date.parse(AT) + 1, untilMs: Date.parse(LATER) + 1 }, ['b']],
    ['the time before', { untilMs: Date.parse(LATER) }, ['c', 'a']],
  ])('filters by %s', async (_what, filter, expected) => {
    const account = freshAccount()
    await store.deliveries.record(account, [
      aDelivery('a'),
      aDelivery('b', { ...failed, at: LATER }),
      aDelivery('c', { outcome: 'timed_out', event_id: 'other' }),
    ])
    expect(await idsOf(account, filter)).toEqual(expected)
  })

  it('finds the deliveries of an event to all listeners, in the order in which they were recorded', async () => {
    const account = freshAccount()
    await store.deliveries.record(account, [aDelivery('a', failed)])
    await store.deliveries.record(account, [aDelivery('b', { listener_id: 'office' })])
    await store.deliveries.record(account, [aDelivery('c', { event_id: 'other' })])
    await store.deliveries.record(account, [aDelivery('d', { attempt: 2 })])
    const found = await store.deliveries.ofEvent(account, 'event')
    expect(found.map(({ delivery_id }) => delivery_id)).toEqual(['a', 'b', 'd'])
    expect(await store.deliveries.ofEvent(account, 'unknown')).toEqual([])
  })

  it('counts each delivery once, however often it is recorded, and knows since when all has failed', async () => {
    const account = freshAccount()
    const counts = () => store.deliveries.counts(account, 'shop')
    expect(await counts()).toEqual({ delivered: 0, failed: 0, forgotten: 0 })
    await store.deliveries.record(account, [aDelivery('a'), aDelivery('b', failed)])
    await store.deliveries.record(account, [
      aDelivery('b', failed),
      aDelivery('c', { ...failed, at: LATER }),
      aDelivery('c', { ...failed, at: LATER }),
    ])
    expect(await counts()).toEqual({
      delivered: 1,
      failed: 2,
      forgotten: 0,
      failing_since: AT,
      success_rate: 1 / 3,
    })
    await store.deliveries.clearFailing(account, 'shop')
    expect(await counts()).not.toHaveProperty('failing_since')
    await store.deliveries.record(account, [aDelivery('d', { ...failed, at: LATER })])
    expect(await counts()).toMatchObject({ failing_since: LATER })
    await store.deliveries.record(account, [aDelivery('e')])
    expect(await counts()).not.toHaveProperty('failing_since')
  })

  it('records 200 at once', async () => {
    const account = freshAccount()
    const many = Array.from({ length: 200 }, (_, index) => aDelivery(`d${index}`))
    await store.deliveries.record(account, many)
    expect(await idsOf(account)).toEqual(many.map(({ delivery_id }) => delivery_id).reverse())
  })

  it('drops the oldest beyond the bound and counts them, without forgetting how many there were', async () => {
    await using small = engine.open({ maxDeliveries: 2 })
    const account = freshAccount()
    for (const id of ['a', 'b', 'c', 'd']) await small.deliveries.record(account, [aDelivery(id)])
    expect(await idsOf(account, {}, small)).toEqual(['d', 'c'])
    expect(await small.deliveries.get(account, 'shop', 'a')).toBeUndefined()
    const ofEvent = await small.deliveries.ofEvent(account, 'event')
    expect(ofEvent.map(({ delivery_id }) => delivery_id)).toEqual(['c', 'd'])
    expect(await small.deliveries.counts(account, 'shop')).toMatchObject({
      delivered: 4,
      forgotten: 2,
    })
  })

  it('drops what is too old', async () => {
    await using brief = engine.open({ deliveryTtlMs: 20 })
    const account = freshAccount()
    await brief.deliveries.record(account, [aDelivery('a')])
    await waitFor(async () => (await brief.deliveries.counts(account, 'shop')).forgotten === 1, {
      what: 'the delivery to be forgotten',
    })
    expect(await idsOf(account, {}, brief)).toEqual([])
  })

  it('forgets all of a listener, and nothing of another', async () => {
    const account = freshAccount()
    await store.deliveries.record(account, [
      aDelivery('a'),
      aDelivery('b', { listener_id: 'other' }),
    ])
    await store.deliveries.forget(account, 'shop')
    expect(await idsOf(account)).toEqual([])
    expect(await store.deliveries.counts(account, 'shop')).toMatchObject({ delivered: 0 })
    const ofEvent = await store.deliveries.ofEvent(account, 'event')
    expect(ofEvent.map(({ delivery_id }) => delivery_id)).toEqual(['b'])
  })
}

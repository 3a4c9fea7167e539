/** What contacts promise on every engine. */
import type { JsonObject } from '@signalbox/contracts'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Store } from '../../src/index.ts'
import { anyJson, type Engine, freshAccount, HARD_JSON, readAll } from '../fixtures.ts'

const MSISDN = '+27820001111'

export function describeContacts(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open()
  })
  afterAll(() => store.close())

  it('creates a contact with what is known of it', async () => {
    const account = freshAccount()
    const update = {
      msisdn: MSISDN,
      name: 'Thandi',
      groups: ['b', 'a'],
      extra: { hard: HARD_JSON },
    }
    const { contact, created } = await store.contacts.upsert(account, update)
    expect(created).toBe(true)
    expect(contact).toEqual({
      contact_key: expect.stringMatching(/^[0-9a-f-]{36}$/),
      msisdn: MSISDN,
      name: 'Thandi',
      groups: ['a', 'b'],
      subscriptions: {},
      extra: { hard: HARD_JSON },
      created_at: expect.stringMatching(/Z$/),
      updated_at: contact.created_at,
    })
    expect(await store.contacts.get(account, contact.contact_key)).toEqual(contact)
    expect(await store.contacts.findByMsisdn(account, MSISDN)).toEqual(contact)
  })

  it('has no name when none was given', async () => {
    const { contact } = await store.contacts.upsert(freshAccount(), { msisdn: MSISDN })
    expect(contact).not.toHaveProperty('name')
    expect(contact).toMatchObject({ groups: [], extra: {}, subscriptions: {} })
  })

  it('merges groups and extra fields and keeps what is not mentioned', async () => {
    const account = freshAccount()
    const first = await store.contacts.upsert(account, {
      msisdn: MSISDN,
      name: 'Thandi',
      groups: ['a'],
      extra: { language: 'zu', ward: { number: 3 } },
    })
    const second = await store.contacts.upsert(account, {
      msisdn: MSISDN,
      groups: ['b', 'a'],
      extra: { ward: null, score: 0 },
    })
    expect(second.created).toBe(false)
    expect(second.contact).toEqual({
      ...first.contact,
      groups: ['a', 'b'],
      extra: { language: 'zu', ward: null, score: 0 },
      updated_at: expect.any(String),
    })
  })

  it('keeps any JSON in any extra field', async () => {
    const account = freshAccount()
    const field = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 8 }),
      fc.string({ unit: 'binary-ascii', maxLength: 8 }),
      fc.constantFrom('__proto__', '', '\ud800', 'with space'),
    )
    const keeps = fc.asyncProperty(field, anyJson(), async (name, value) => {
      const extra: JsonObject = JSON.parse(JSON.stringify({ [name]: value })) as JsonObject
      const { contact } = await store.contacts.upsert(account, { msisdn: MSISDN, extra })
      expect(contact.extra[name]).toEqual(extra[name])
    })
    await fc.assert(keeps, { numRuns: engine.runs })
  })

  it('makes one contact of 100 parallel updates of one number, and merges them all', async () => {
    const account = freshAccount()
    const updates = Array.from({ length: 100 }, (_, index) =>
      store.contacts.upsert(account, {
        msisdn: MSISDN,
        groups: [`g${index}`],
        extra: { [`x${index}`]: index },
      }),
    )
    const outcomes = await Promise.all(updates)
    expect(outcomes.filter(({ created }) => created)).toHaveLength(1)
    expect(new Set(outcomes.map(({ contact }) => contact.contact_key)).size).toBe(1)
    const { items } = await store.contacts.list(account)
    expect(items).toHaveLength(1)
    expect(items[0]?.groups).toHaveLength(100)
    expect(Object.keys(items[0]?.extra ?? {})).toHaveLength(100)
  })

  it('sets and changes a subscription, and leaves the rest', async () => {
    const account = freshAccount()
    const { contact } = await store.contacts.upsert(account, { msisdn: MSISDN, name: 'Thandi' })
    const set = (campaign: string, state: 'subscribed' | 'unsubscribed') =>
      store.contacts.setSubscription(account, contact.contact_key, campaign, state)
    await set('spring', 'subscribed')
    await set('autumn', 'subscribed')
    expect(await set('spring', 'unsubscribed')).toEqual({
      ...contact,
      subscriptions: { spring: 'unsubscribed', autumn: 'subscribed' },
      updated_at: expect.any(String),
    })
    expect(await store.contacts.setSubscription(account, 'nobody', 'spring', 'subscribed')).toBe(
      undefined,
    )
    expect(await store.contacts.get(account, 'nobody')).toBeUndefined()
  })

  it('shows an account only its own contacts', async () => {
    const [account, other] = [freshAccount(), freshAccount()]
    const { contact } = await store.contacts.upsert(account, { msisdn: MSISDN })
    expect(await store.contacts.get(other, contact.contact_key)).toBeUndefined()
    expect(await store.contacts.findByMsisdn(other, MSISDN)).toBeUndefined()
    expect((await store.contacts.list(other)).items).toEqual([])
    expect((await store.contacts.upsert(other, { msisdn: MSISDN })).created).toBe(true)
  })

  it('pages 2,500 contacts without loss or repetition', async () => {
    const account = freshAccount()
    const numbers = Array.from({ length: 2_500 }, (_, index) => `+2782${1_000_000 + index}`)
    await Promise.all(numbers.map((msisdn) => store.contacts.upsert(account, { msisdn })))
    const { items, pages } = await readAll(
      (options) => store.contacts.list(account, options),
      1_000,
    )
    expect(items.map(({ msisdn }) => msisdn).sort()).toEqual(numbers)
    expect(pages).toBe(3)
  })
}

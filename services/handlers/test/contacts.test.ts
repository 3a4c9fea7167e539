import { createMemoryStore, type Store } from '@signalbox/store'
import { testHandler } from '@signalbox/worker/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createContactHandler } from '../src/create-contact.ts'
import { setSubscriptionHandler } from '../src/set-subscription.ts'

let store: Store

beforeEach(() => {
  store = createMemoryStore()
})
afterEach(() => store.close())

const create = (config: Parameters<typeof testHandler>[1] = {}) =>
  testHandler(createContactHandler(store.contacts), config)

describe('create_contact', () => {
  test('creates the contact in the account of the event, gives it back flat and announces it', async () => {
    const { output, events } = await create({
      config: { msisdn: '27831234567', name: 'Ann', groups: ['vip'], town: 'Cape Town', age: 42 },
      event: { account_key: 'acme', person_key: 'p1' },
    })
    expect(output).toMatchObject({
      msisdn: '+27831234567',
      name: 'Ann',
      groups: ['vip'],
      town: 'Cape Town',
      age: 42,
      subscriptions: {},
      created: true,
    })
    const { contact_key } = output as { contact_key: string }
    expect(events).toEqual([
      {
        conversation_type: 'contact',
        event_type: 'contact_created',
        conversation_key: contact_key,
        person_key: 'p1',
        event_data: output,
      },
    ])
    expect(await store.contacts.get('acme', contact_key)).toMatchObject({ extra: { age: 42 } })
    expect(await store.contacts.findByMsisdn('test', '+27831234567')).toBeUndefined()
  })

  test('updates the one with the same number, however it is written, and keeps the rest of it', async () => {
    const first = await create({ config: { msisdn: '+27831234567', name: 'Ann', town: 'x' } })
    const second = await create({ config: { msisdn: '27831234567', groups: ['vip'] } })
    const key = (first.output as { contact_key: string }).contact_key
    expect(second.output).toMatchObject({
      contact_key: key,
      name: 'Ann',
      groups: ['vip'],
      town: 'x',
      created: false,
    })
    expect(second.events).toMatchObject([{ event_type: 'contact_updated', conversation_key: key }])
  })

  test('an extra field never stands for one of the contact itself', async () => {
    const { output } = await create({ config: { msisdn: '27831234567', contact_key: 'mine' } })
    expect(output).not.toMatchObject({ contact_key: 'mine' })
  })

  test('a number that is none is said at its field', async () => {
    const { error } = await create({ config: { msisdn: 'tomorrow' } })
    expect(error).toMatchObject({ code: 'SB_HANDLER_CONFIG', retryable: false })
    expect(error?.message).toContain('msisdn: must be 6 to 15 digits')
  })
})

describe('set_subscription', () => {
  const set = (config: Record<string, string>) =>
    testHandler(setSubscriptionHandler(store.contacts), { config })

  test.each(['contact_key', 'msisdn'] as const)('finds the contact by %s', async (field) => {
    const { output: contact } = await create({ config: { msisdn: '+27831234567' } })
    const value = (contact as Record<string, string>)[field]!
    const first = await set({ [field]: value, campaign: 'news', state: 'subscribed' })
    expect(first.output).toMatchObject({ subscriptions: { news: 'subscribed' } })
    const second = await set({ [field]: value, campaign: 'news', state: 'unsubscribed' })
    expect(second.output).toMatchObject({ subscriptions: { news: 'unsubscribed' } })
  })

  test.each([
    ['contact_key', 'nobody'],
    ['msisdn', '+27000000000'],
  ])('an unknown %s is a failure for good that names it', async (field, value) => {
    const { error } = await set({ [field]: value, campaign: 'news', state: 'subscribed' })
    expect(error).toEqual({
      code: 'UNKNOWN_CONTACT',
      message: `there is no contact with ${field} "${value}"`,
      retryable: false,
    })
  })

  test.each([
    [{ campaign: 'news', state: 'subscribed' }],
    [{ contact_key: 'a', msisdn: '27831234567', campaign: 'news', state: 'subscribed' }],
    [{ contact_key: 'a', campaign: 'news', state: 'maybe' }],
  ])('refuses %j', async (config) => {
    expect((await set(config as Record<string, string>)).error?.code).toBe('SB_HANDLER_CONFIG')
  })
})

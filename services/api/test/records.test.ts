/** What handlers and the dispatcher left behind, as the api shows it: biographies and contacts. */
import { completeEvent } from '@signalbox/contracts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fixture, startFixture } from './fixture.ts'

let api: Fixture
beforeAll(async () => {
  api = await startFixture()
  const at = new Date().toISOString()
  for (const [index, kind] of ['poll', 'flow', 'poll'].entries()) {
    const event = completeEvent({
      event_id: `e-${index}`,
      account_key: 'acme',
      conversation_key: `c-${index}`,
      conversation_type: kind,
      event_type: 'done',
      event_data: {},
      person_key: `p-${index}`,
    })
    await api.store.biographies.record([
      {
        accountKey: 'acme',
        eventId: event.event_id,
        facts: [
          { fact: 'received', at, event },
          ...(index === 2
            ? []
            : [
                {
                  fact: 'matched' as const,
                  at,
                  matched: [],
                  not_matched: [],
                  by_default: false,
                  reason: 'no chain is for this kind of event',
                },
              ]),
        ],
      },
    ])
  }
})
afterAll(() => api[Symbol.asyncDispose]())

const get = (path: string) => api.call({ url: `/v1/accounts/acme/${path}` })
const idsOf = (page: { items: { event_id: string }[] }) => page.items.map((item) => item.event_id)

test.each([
  ['', ['e-2', 'e-1', 'e-0']],
  ['?conversation_type=poll', ['e-2', 'e-0']],
  ['?event_type=done&conversation_key=c-1', ['e-1']],
  ['?person_key=p-0', ['e-0']],
  ['?outcome=unmatched', ['e-1', 'e-0']],
  ['?outcome=pending&conversation_type=flow', []],
])('GET /events%s lists what fits, newest first', async (query, expected) => {
  const answer = await get(`events${query}`)
  expect(answer.statusCode).toBe(200)
  expect(idsOf(answer.json())).toEqual(expected)
  expect(answer.json().forgotten).toBe(0)
})

test('events are listed page by page', async () => {
  const first = (await get('events?limit=2')).json()
  const second = (await get(`events?limit=2&cursor=${first.next}`)).json()
  expect([idsOf(first), idsOf(second)]).toEqual([['e-2', 'e-1'], ['e-0']])
})

test('a biography says what happened to the event', async () => {
  expect((await get('events/e-0')).json()).toMatchObject({
    event: { event_id: 'e-0' },
    outcome: 'unmatched',
    reason: 'no chain is for this kind of event',
  })
})

test('an event that nobody knows is not found, and neither is that of another account', async () => {
  expect((await get('events/e-9')).json()).toMatchObject({ status: 404, code: 'SB_NOT_FOUND' })
  const elsewhere = await api.call({ url: '/v1/accounts/other/events/e-0' })
  expect(elsewhere.statusCode).toBe(404)
})

test('a key may have any printable characters, and all of its length', async () => {
  const contactKey = '💬/?#%'.padEnd(128, 'é')
  const answer = await get(`contacts/${encodeURIComponent(contactKey)}`)
  expect(answer.json().detail).toBe(`there is no contact "${contactKey}"`)
})

test('contacts are listed and read', async () => {
  const { contact } = await api.store.contacts.upsert('acme', {
    msisdn: '+27831234567',
    name: 'Ann',
  })
  expect((await get('contacts')).json()).toEqual({ items: [contact] })
  expect((await get(`contacts/${contact.contact_key}`)).json()).toEqual(contact)
  expect((await api.call({ url: '/v1/accounts/other/contacts' })).json()).toEqual({ items: [] })
})

test.each([
  ['events?limit=0', 'limit'],
  ['events?limit=1001', 'limit'],
  ['events?limit=2.5', 'limit'],
  ['events?limit=many', 'limit'],
  ['events?limit=', 'limit'],
  ['events?cursor=nonsense', 'cursor'],
  ['events?cursor=', 'cursor'],
  ['events?outcome=lost', 'outcome'],
  ['events?conversation_type=a.b', 'conversation_type'],
  ['events?conversation_typo=poll', 'conversation_typo'],
  ['events?person_key=a&person_key=b', 'person_key'],
  ['chains?limit=-1', 'limit'],
  ['contacts?name=Ann', 'name'],
  ['chains/a.b', 'chain_id'],
  [`events/${'x'.repeat(129)}`, 'event_id'],
  ['contacts/a%20b', 'contact_key'],
])('GET /%s is refused, and %s named', async (path, fault) => {
  const answer = await get(path)
  expect(answer.json()).toMatchObject({
    status: 400,
    code: 'SB_INVALID_INPUT',
    errors: [{ path: fault, message: expect.any(String) }],
  })
})

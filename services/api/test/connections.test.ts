import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fixture, startFixture } from './fixture.ts'

let api: Fixture
beforeAll(async () => {
  api = await startFixture()
})
afterAll(() => api[Symbol.asyncDispose]())

const connections = async (query = '') =>
  (await api.call({ url: `/v1/accounts/acme/connections${query}` })).json()

test('an account to which nobody is connected has none', async () => {
  expect(await connections()).toEqual({
    connections: 0,
    subscriptions: 0,
    edges: [],
    persons: [],
  })
})

test('connections are summed over the edges, and over the persons of several of them', async () => {
  const person = (personKey: string, subscriptions: number) => ({
    personKey,
    connections: 1,
    subscriptions,
  })
  const report = (edge: string, account: string, connections: number, ...persons: object[]) =>
    api.store.presence.report(
      edge,
      new Map([[account, { connections, subscriptions: 10, persons: persons as never }]]),
      60_000,
    )
  await report('edge-b', 'acme', 2, person('p2', 1), person('p1', 2))
  await report('edge-a', 'acme', 3, person('p1', 4), person('p3', 0))
  await report('edge-a', 'other', 7, person('p9', 1))

  expect(await connections()).toEqual({
    connections: 5,
    subscriptions: 20,
    edges: [
      { edge: 'edge-a', connections: 3, subscriptions: 10 },
      { edge: 'edge-b', connections: 2, subscriptions: 10 },
    ],
    persons: [
      { person_key: 'p1', connections: 2, subscriptions: 6 },
      { person_key: 'p2', connections: 1, subscriptions: 1 },
      { person_key: 'p3', connections: 1, subscriptions: 0 },
    ],
  })
  const first = await connections('?limit=2')
  expect(first.persons.map((shown: { person_key: string }) => shown.person_key)).toEqual([
    'p1',
    'p2',
  ])
  const second = await connections(`?limit=2&cursor=${first.next}`)
  expect(second.persons).toEqual([{ person_key: 'p3', connections: 1, subscriptions: 0 }])
  expect(second).not.toHaveProperty('next')
})

test('a cursor of something else is refused', async () => {
  for (const cursor of ['nonsense', Buffer.from('contacts\np1').toString('base64url')]) {
    expect(await connections(`?cursor=${cursor}`)).toMatchObject({
      status: 400,
      errors: [{ path: 'cursor' }],
    })
  }
})

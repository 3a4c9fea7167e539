import { createMemoryStore, type Store } from '@signalbox/store'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createMailboxes } from '../src/mailboxes.ts'

let store: Store
let forgotten: number

beforeEach(() => {
  store = createMemoryStore()
  forgotten = 0
})
afterEach(() => store.close())

const open = () =>
  createMailboxes(
    { accountKey: 'demo' },
    {
      documents: store.documents,
      onForgotten(count) {
        forgotten += count
      },
    },
  )
const message = (id: string, to: string) => ({ message_id: id, kind: 'sms', to, body: id }) as const
const idsOf = async (to: string) =>
  (await open().messagesTo(to)).map(({ message_id }) => message_id)

test('each address has its own messages, oldest first', async () => {
  await open().deliver(message('1', 'a'))
  await open().deliver(message('2', 'b'))
  await open().deliver(message('3', 'a'))
  expect(await idsOf('a')).toEqual(['1', '3'])
  expect(await idsOf('nobody')).toEqual([])
})

test('a message that comes again is the same message', async () => {
  await Promise.all([1, 2, 3].map(() => open().deliver(message('1', 'a'))))
  expect(await idsOf('a')).toEqual(['1'])
})

test('an address keeps its newest 20, and counts what falls off', async () => {
  for (let n = 1; n <= 23; n += 1) await open().deliver(message(String(n), 'a'))
  expect(await idsOf('a')).toEqual(Array.from({ length: 20 }, (_, n) => String(n + 4)))
  expect(forgotten).toBe(3)
})

test('whatever number of addresses write, no more than 64 documents are kept', async () => {
  for (let n = 0; n < 300; n += 1) await open().deliver(message(`m${n}`, `address-${n}`))
  const { items } = await store.documents.list('demo', 'survey_mailboxes', { limit: 1_000 })
  expect(items.length).toBeLessThanOrEqual(64)
})

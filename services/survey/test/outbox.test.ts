import { setImmediate as nextTurn } from 'node:timers/promises'
import type { EventInput } from '@signalbox/contracts'
import { silentLog, UnavailableError } from '@signalbox/kit'
import { createMemoryStore } from '@signalbox/store'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createOutbox } from '../src/outbox.ts'
import { createSessionStore } from '../src/session-store.ts'

const SESSION = {
  session_id: 's1',
  person_key: 'p1',
  state: 'active',
  poll: {
    poll_key: 'p',
    title: 'P',
    questions: [{ id: 'a', type: 'text', text: 'A', max_length: 9 }],
  },
  answers: {},
  started_at: '2026-03-01T09:00:00.000Z',
  updated_at: '2026-03-01T09:00:00.000Z',
} as const

async function openOutbox(publish: (event: EventInput) => Promise<unknown>) {
  const store = createMemoryStore()
  let unavailable: string | undefined
  const sessions = createSessionStore(
    { accountKey: 'demo', onPending: (mark) => outbox.wake(mark) },
    store,
  )
  const outbox = createOutbox(
    { accountKey: 'demo' },
    {
      sessions,
      source: { publishEvent: publish },
      unavailableReason: () => unavailable,
      log: silentLog,
    },
  )
  return {
    outbox,
    sessions,
    setUnavailable(reason: string | undefined) {
      unavailable = reason
    },
    announce: (name: string) =>
      sessions.change('record', () => ({
        session: { ...SESSION, poll: { ...SESSION.poll, questions: [...SESSION.poll.questions] } },
        announcements: [{ event_type: 'flow_state_change', event_data: { name } }],
      })),
    pending: async () => (await sessions.pendingMarks({})).marks.length,
    [Symbol.asyncDispose]: () => store.close(),
  }
}

test('while the broker is away nothing is tried, and the scan publishes all of it, in order, when it is back', async () => {
  const published: unknown[] = []
  await using survey = await openOutbox(async ({ event_data }) => published.push(event_data.name))
  survey.setUnavailable('not connected')
  for (const name of ['a', 'b', 'c']) await survey.announce(name)
  await survey.outbox.scan({ minAgeMs: 0 })
  await survey.outbox.drain()
  expect(published).toEqual([])
  expect(await survey.pending()).toBe(3)

  survey.setUnavailable(undefined)
  await survey.outbox.scan({ minAgeMs: 0 })
  expect(published).toEqual(['a', 'b', 'c'])
  expect(await survey.pending()).toBe(0)
})

test('an event that is not confirmed is published again, before any later one', async () => {
  const published: unknown[] = []
  let failures = 1
  await using survey = await openOutbox(async ({ event_id, event_data }) => {
    published.push(`${event_data.name} ${event_id?.slice(0, 4)}`)
    if (failures-- > 0) throw new UnavailableError('no confirm')
  })
  await survey.announce('a')
  await survey.outbox.drain()
  await survey.announce('b')
  await survey.outbox.drain()
  expect(published).toHaveLength(3)
  expect(published[1]).toBe(published[0])
  expect(published[2]).toMatch(/^b/)
})

test('two processes that publish the same session at once repeat events, but never let a later one arrive first', async () => {
  const turns = fc.infiniteStream(fc.nat(4))
  let repeated = 0
  await fc.assert(
    fc.asyncProperty(turns, async (delays) => {
      const arrived: unknown[] = []
      const wait = async () => {
        for (let turn: number = delays.next().value; turn > 0; turn -= 1) await nextTurn()
      }
      const publishEvent = async ({ event_data }: EventInput) => {
        await wait()
        arrived.push(event_data.name)
        await wait()
      }
      await using first = await openOutbox(publishEvent)
      const second = createOutbox(
        { accountKey: 'demo' },
        {
          sessions: first.sessions,
          source: { publishEvent },
          unavailableReason: () => undefined,
          log: silentLog,
        },
      )
      const names = ['a', 'b', 'c', 'd', 'e', 'f']
      const scans: Promise<void>[] = []
      for (const name of names) {
        await first.announce(name)
        await wait()
        scans.push(second.scan({ minAgeMs: 0 }))
      }
      await Promise.all([first.outbox.drain(), ...scans])
      await first.outbox.scan({ minAgeMs: 0 })
      expect([...new Set(arrived)]).toEqual(names)
      expect(await first.pending()).toBe(0)
      repeated += arrived.length - names.length
    }),
    { numRuns: 60 },
  )
  expect(repeated, 'both did publish at once').toBeGreaterThan(0)
})

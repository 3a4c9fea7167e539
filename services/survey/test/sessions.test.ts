import { silentLog } from '@signalbox/kit'
import { createMemoryStore, type Store } from '@signalbox/store'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DEMO_POLL, seedDemoPoll } from '../src/demo-poll.ts'
import { createPollStore } from '../src/poll-store.ts'
import { createSessionStore, recordKeyOf } from '../src/session-store.ts'
import { createSessions, type SessionsOptions } from '../src/sessions.ts'

const POLL = DEMO_POLL.poll_key
const DAY_MS = 86_400_000

let store: Store

beforeEach(async () => {
  store = createMemoryStore()
  await seedDemoPoll(store, 'demo')
})
afterEach(async () => {
  vi.useRealTimers()
  await store.close()
})

/** One process of those that share the store. */
function open(options: SessionsOptions = {}, documents = store.documents) {
  const sessionStore = createSessionStore({ accountKey: 'demo' }, { documents })
  const polls = createPollStore('demo', store.documents)
  const sessions = createSessions(options, { polls, store: sessionStore, log: silentLog })
  return { sessions, sessionStore, polls }
}

const recordOf = (personKey: string) => open().sessionStore.read(recordKeyOf(POLL, personKey))

describe('sessions', () => {
  it('gives each person one active session of a poll, from whichever process', async () => {
    const begun = await Promise.all(
      Array.from({ length: 8 }, () => open().sessions.begin(POLL, { personKey: 'p1' })),
    )
    expect(new Set(begun.map(({ session }) => session.session_id)).size).toBe(1)
    expect(begun.filter(({ isNew }) => isNew)).toHaveLength(1)
    expect(await recordOf('p1')).toMatchObject({ sequence: 2 })
  })

  it('takes one of two different answers that two processes get at once', async () => {
    const { session } = await open().sessions.begin(POLL, { personKey: 'p1' })
    const outcomes = await Promise.allSettled(
      ['Thandi', 'Sipho'].map((answer) =>
        open().sessions.answer(POLL, session.session_id, { question: 'name', answer }),
      ),
    )
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    const refused = outcomes.find(({ status }) => status === 'rejected')
    expect(refused).toMatchObject({ reason: { code: 'SB_CONFLICT' } })
  })

  it('takes the same answer that two processes get at once as one', async () => {
    const { session } = await open().sessions.begin(POLL, { personKey: 'p1' })
    await Promise.all(
      [1, 2].map(() =>
        open().sessions.answer(POLL, session.session_id, { question: 'name', answer: 'Thandi' }),
      ),
    )
    expect(await recordOf('p1')).toMatchObject({ sequence: 4 })
  })

  it('goes on with the poll as it was when the session began', async () => {
    const { sessions, polls } = open()
    const { session } = await sessions.begin(POLL, { personKey: 'p1' })
    await polls.put(POLL, { title: 'Other', questions: [{ id: 'x', type: 'text', text: 'X' }] })
    const answered = await sessions.answer(POLL, session.session_id, {
      question: 'name',
      answer: 'T',
    })
    expect(answered.poll.title).toBe('Spring poll')
    expect((await sessions.begin(POLL, { personKey: 'p2' })).session.poll.title).toBe('Other')
  })

  it('begins anew after the end, under another identity, and keeps what is not published yet', async () => {
    const { sessions } = open()
    const first = (await sessions.begin(POLL, { personKey: 'p1' })).session
    await sessions.exit(POLL, first.session_id)
    const second = (await sessions.begin(POLL, { personKey: 'p1' })).session
    expect(second.session_id).not.toBe(first.session_id)
    await expect(sessions.get(POLL, first.session_id)).rejects.toMatchObject({
      code: 'SB_NOT_FOUND',
    })
    const record = await recordOf('p1')
    expect(record?.outbox.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6])
    expect(new Set(record?.outbox.map(({ event_id }) => event_id)).size).toBe(6)
  })

  it.each(['nonsense', `${recordKeyOf(POLL, 'p9')}-0123456789ab`, '../../etc'])(
    'knows no session %s',
    async (sessionId) => {
      await expect(open().sessions.get(POLL, sessionId)).rejects.toMatchObject({
        code: 'SB_NOT_FOUND',
      })
    },
  )

  it('lets nobody fill the outbox by beginning over and over while the broker is away', async () => {
    const { sessions } = open()
    const beginAndExit = async () => {
      for (let round = 0; round < 100; round += 1) {
        const { session } = await sessions.begin(POLL, { personKey: 'p1' })
        await sessions.exit(POLL, session.session_id)
      }
    }
    await expect(beginAndExit()).rejects.toMatchObject({ code: 'SB_UNAVAILABLE' })
    expect((await recordOf('p1'))?.outbox.length).toBeLessThan(310)
  })
})

describe('the sweep', () => {
  it('exits what nobody goes on with, and removes it when that is published and old too', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const { sessions, sessionStore } = open({ keepMs: DAY_MS })
    await sessions.begin(POLL, { personKey: 'p1' })
    vi.setSystemTime(Date.now() + 2 * DAY_MS)
    await sessions.begin(POLL, { personKey: 'recent' })

    await sessions.sweep()
    expect(await recordOf('p1')).toMatchObject({ session: { state: 'exited' }, sequence: 4 })
    vi.setSystemTime(Date.now() + 2 * DAY_MS)
    await sessions.sweep()
    expect(await recordOf('p1'), 'its events are not published yet').toBeDefined()
    await sessionStore.takeOut(recordKeyOf(POLL, 'p1'), 4)
    await sessions.sweep()
    expect(await recordOf('p1')).toBeUndefined()
    expect(await recordOf('recent')).toMatchObject({ session: { state: 'exited' } })
  })

  it('leaves a session that its person begins again at that moment', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const person = open()
    const { session } = await person.sessions.begin(POLL, { personKey: 'p1' })
    await person.sessions.exit(POLL, session.session_id)
    await person.sessionStore.takeOut(recordKeyOf(POLL, 'p1'), 4)
    vi.setSystemTime(Date.now() + 2 * DAY_MS)

    const sweeper = open(
      { keepMs: DAY_MS },
      {
        ...store.documents,
        async delete(...args) {
          await person.sessions.begin(POLL, { personKey: 'p1' })
          return store.documents.delete(...args)
        },
      },
    )
    await sweeper.sessions.sweep()
    expect(await recordOf('p1')).toMatchObject({ session: { state: 'active' } })
  })

  it('counts what is kept: beyond the most, nobody new begins', async () => {
    const { sessions } = open({ maxSessions: 2 })
    await sessions.begin(POLL, { personKey: 'p1' })
    await sessions.begin(POLL, { personKey: 'p2' })
    const third = () => sessions.begin(POLL, { personKey: 'p3' })
    await expect(third()).rejects.toMatchObject({ code: 'SB_TOO_MANY' })
    await expect(sessions.begin(POLL, { personKey: 'p1' })).resolves.toMatchObject({ isNew: false })
    const other = open({ maxSessions: 2 })
    await other.sessions.sweep()
    await expect(other.sessions.begin(POLL, { personKey: 'p3' })).rejects.toMatchObject({
      code: 'SB_TOO_MANY',
    })
  })
})

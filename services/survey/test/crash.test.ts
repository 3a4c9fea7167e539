/**
 * The death of the process between any two of its steps. Every call to the store and every publish is counted; at the nth one
 * the process "dies": that call and all after it fail, before or after having had their effect. Then another process,
 * on the same store and broker, goes on.
 */
import type { EventInput } from '@signalbox/contracts'
import { silentLog, UnavailableError } from '@signalbox/kit'
import { createMemoryStore, type Store } from '@signalbox/store'
import { expect, test } from 'vitest'
import { DEMO_POLL, seedDemoPoll } from '../src/demo-poll.ts'
import { createOutbox } from '../src/outbox.ts'
import { createPollStore } from '../src/poll-store.ts'
import { createSessionStore, recordKeyOf } from '../src/session-store.ts'
import { createSessions } from '../src/sessions.ts'

const ACCOUNT = 'demo'
const POLL = DEMO_POLL.poll_key
const PERSON = 'p1'
const RECORD = recordKeyOf(POLL, PERSON)
const ANSWERS = [
  ['name', 'Thandi'],
  ['outdoors', 'weekly'],
  ['garden', 'yes'],
  ['crop', 'flowers'],
  ['msisdn', '+27825550100'],
] as const

const EVERY_CHANGE = [
  'spring-poll active',
  ...ANSWERS.flatMap(([question]) => [`${question} active`, `${question} completed`]),
  'spring-poll completed',
  'poll_complete',
]

interface Death {
  atCall: number
  when: 'before the effect' | 'after the effect'
}

class Mortality {
  calls = 0
  readonly #death: Death | undefined

  constructor(death?: Death) {
    this.#death = death
  }

  get isDead(): boolean {
    return this.#death !== undefined && this.calls >= this.#death.atCall
  }

  async call<Value>(effect: () => Promise<Value>): Promise<Value> {
    const died = new UnavailableError('the process is dead')
    if (this.isDead) throw died
    this.calls += 1
    if (!this.isDead) return effect()
    if (this.#death?.when === 'after the effect') await effect()
    throw died
  }
}

function startProcess(store: Store, published: EventInput[], mortality: Mortality) {
  const { documents } = store
  const mortal: Pick<Store, 'documents'> = {
    documents: {
      get: (...args) => mortality.call(() => documents.get(...args)),
      put: (...args) => mortality.call(() => documents.put(...args)),
      delete: (...args) => mortality.call(() => documents.delete(...args)),
      list: (...args) => mortality.call(() => documents.list(...args)),
    },
  }
  const source = {
    publishEvent: (event: EventInput) =>
      mortality.call(async () => {
        published.push(event)
      }),
  }
  const sessionStore = createSessionStore(
    { accountKey: ACCOUNT, onPending: (mark) => outbox.wake(mark) },
    mortal,
  )
  const outbox = createOutbox(
    { accountKey: ACCOUNT },
    { sessions: sessionStore, source, unavailableReason: () => undefined, log: silentLog },
  )
  const polls = createPollStore(ACCOUNT, mortal.documents)
  return { outbox, sessions: createSessions({}, { polls, store: sessionStore, log: silentLog }) }
}

type SurveyProcess = ReturnType<typeof startProcess>

/** Answers the whole poll; whatever fails is repeated on the process that comes after. */
async function answerAll(store: Store, mortality: Mortality) {
  const published: EventInput[] = []
  let survey = startProcess(store, published, mortality)

  const perform = async <Value>(operation: (survey: SurveyProcess) => Promise<Value>) => {
    const wasDead = mortality.isDead
    const outcome = await Promise.allSettled([operation(survey)])
    await survey.outbox.drain()
    if (wasDead || !mortality.isDead) return valueOrThrow(outcome[0])

    survey = startProcess(store, published, new Mortality())
    await survey.outbox.scan({ minAgeMs: 0 })
    const record = await createSessionStore({ accountKey: ACCOUNT }, store).read(RECORD)
    expect(record?.outbox ?? [], 'nothing saved is left unpublished').toEqual([])
    expect(distinct(published), 'what is saved, and no more, is published').toHaveLength(
      record?.sequence ?? 0,
    )
    return outcome[0].status === 'fulfilled' ? outcome[0].value : operation(survey)
  }

  const { session } = await perform(({ sessions }) => sessions.begin(POLL, { personKey: PERSON }))
  for (const [question, answer] of ANSWERS) {
    await perform(({ sessions }) => sessions.answer(POLL, session.session_id, { question, answer }))
  }
  await perform(({ outbox }) => outbox.scan({ minAgeMs: 0 }))
  return published
}

async function runWith(mortality: Mortality) {
  await using store = createMemoryStore()
  await seedDemoPoll(store, ACCOUNT)
  const published = await answerAll(store, mortality)
  const marks = await store.documents.list(ACCOUNT, 'survey_pending')
  return { published, marks: marks.items }
}

test('without a death every change is published once, in order, and nothing stays pending', async () => {
  const { published, marks } = await runWith(new Mortality())
  expect(namesOf(published)).toEqual(EVERY_CHANGE)
  expect(marks).toEqual([])
})

test.each(['before the effect', 'after the effect'] as const)(
  'a process that dies at any of its steps, %s, loses no answer and no change',
  async (when) => {
    const undisturbed = new Mortality()
    await runWith(undisturbed)
    expect(undisturbed.calls).toBeGreaterThan(40)
    for (let atCall = 1; atCall <= undisturbed.calls; atCall += 1) {
      const { published, marks } = await runWith(new Mortality({ atCall, when }))
      const death = `death ${when} of call ${atCall}`
      expect(namesOf(distinct(published)), death).toEqual(EVERY_CHANGE)
      expect(marks, death).toEqual([])
      for (const event of published) {
        const first = published.find(({ event_id }) => event_id === event.event_id)
        expect(event, `${death}: a repetition is the same event`).toEqual(first)
      }
    }
  },
)

/** The first of each identity, in the order of arrival. */
const distinct = (events: readonly EventInput[]): EventInput[] =>
  events.filter(
    (event, index) => events.findIndex(({ event_id }) => event_id === event.event_id) === index,
  )

const namesOf = (events: readonly EventInput[]): string[] =>
  events.map(({ event_type, event_data: { identifier, state } }) =>
    identifier === undefined ? event_type : `${identifier} ${state}`,
  )

function valueOrThrow<Value>(outcome: PromiseSettledResult<Value>): Value {
  if (outcome.status === 'rejected') throw outcome.reason
  return outcome.value
}

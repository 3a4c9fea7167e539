import type { DeadLetter } from '@signalbox/contracts'
import { waitFor } from '@signalbox/testkit'
import { createSource } from '@signalbox/worker'
import { expect, test } from 'vitest'
import { recordKeyOf } from '../src/session-store.ts'
import { startSurvey } from './fixture.ts'

type RunningSurvey = Awaited<ReturnType<typeof startSurvey>>

const command = (
  survey: RunningSurvey,
  name: string,
  kwargs: Record<string, string>,
  id?: string,
) =>
  createSource(survey).publishCommand({
    worker_name: 'survey',
    command: name,
    kwargs,
    ...(id === undefined ? {} : { command_id: id }),
  })

/** The survey's session or mailbox, read through the store. */
const sessionOf = async ({ store }: RunningSurvey, personKey: string) =>
  (await store.documents.get('demo', 'survey_sessions', recordKeyOf('spring-poll', personKey)))
    ?.value

async function bodiesOf({ store }: RunningSurvey) {
  const { items } = await store.documents.list('demo', 'survey_mailboxes')
  return items.flatMap(
    ({ value }) => (value as { messages: { to: string; body: string }[] }).messages,
  )
}

test('start begins a session for the person that it names, and again resumes it', async () => {
  await using survey = await startSurvey()
  await command(survey, 'start', { poll: 'spring-poll', person_key: 'p1', account_key: 'demo' })
  await command(survey, 'start', { poll: 'spring-poll', person_key: 'p1' })
  await command(survey, 'send_message', { to: 'proof', content: 'both were taken' })
  await waitFor(() => sessionOf(survey, 'p1'), { what: 'the session' })
  await waitFor(async () => (await bodiesOf(survey)).length > 0, { what: 'the last command' })
  expect(await sessionOf(survey, 'p1')).toMatchObject({ sequence: 2, session: { state: 'active' } })
})

test('send_message delivers once to the person, however often the command comes', async () => {
  await using survey = await startSurvey()
  const message = { person_key: 'p1', to: '+27825550100', content: 'Hello' }
  await command(survey, 'send_message', message, 'c1')
  await command(survey, 'send_message', message, 'c1')
  await command(survey, 'send_message', { to: 'p1', content: 'Goodbye' }, 'c2')
  await waitFor(async () => (await bodiesOf(survey)).length > 1, { what: 'both messages' })
  expect(await bodiesOf(survey)).toMatchObject([
    { to: 'p1', body: 'Hello' },
    { to: 'p1', body: 'Goodbye' },
  ])
})

test.each([
  ['an unknown command', 'dance', { poll: 'spring-poll' }, 'SB_UNKNOWN_COMMAND'],
  ['an unknown poll', 'start', { poll: 'none', person_key: 'p1' }, 'SB_NOT_FOUND'],
  ['no person', 'send_message', { content: 'Hello' }, 'SB_INVALID_MESSAGE'],
  [
    "another account's",
    'start',
    { poll: 'spring-poll', person_key: 'p1', account_key: 'other' },
    'SB_INVALID_INPUT',
  ],
] as const)('a command with %s becomes a dead letter', async (_fault, name, kwargs, code) => {
  await using survey = await startSurvey()
  const letters: DeadLetter[] = []
  await survey.broker.consume(survey.broker.topology.queue.dead, {}, async ({ body }) => {
    letters.push(JSON.parse(body.toString()) as DeadLetter)
    return { kind: 'ack' }
  })
  await waitFor(() => survey.readiness.report().ready, { what: 'the command consumer' })
  await command(survey, name, kwargs)
  await waitFor(() => letters.length > 0, { what: 'the dead letter' })
  expect(letters).toMatchObject([{ code, about: 'command' }])
  expect(await sessionOf(survey, 'p1')).toBeUndefined()
})

/** From Mistral's notification to the handler that delivers it, through the api and the dispatcher, on memory engines. */
import { createMemoryBroker, createTopology } from '@signalbox/broker'
import { MISTRAL_EVENT_GROUPS, MISTRAL_EVENT_TYPES, MISTRAL_ON_EVENTS } from '@signalbox/contracts'
import { createMetrics, createReadiness, silentLog as log } from '@signalbox/kit'
import { createApi } from '@signalbox/service-api'
import { createDispatcher } from '@signalbox/service-dispatcher'
import { createMemoryStore } from '@signalbox/store'
import { waitFor } from '@signalbox/testkit'
import { createWorker, defineHandler } from '@signalbox/worker'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'

const LISTENERS = {
  all: {},
  executions: { event_types: ['EXECUTION'] },
  tasks: { event_types: ['TASK'] },
  done: { events: ['on-task-complete'] },
  billing: { workbook_name: 'billing' },
  shipping: { workbook_name: 'shipping' },
  failed: { when: 'event.event_data.state == "ERROR"' },
} as const

const stack = new AsyncDisposableStack()
afterAll(() => stack.disposeAsync())
const broker = stack.use(createMemoryBroker({ topology: createTopology(), log }))
const store = stack.use(createMemoryStore())
const newDeps = () => ({
  broker,
  store,
  log,
  readiness: createReadiness(),
  metrics: createMetrics({ withProcessMetrics: false }),
})
const { app } = stack.use(
  createApi(
    { adminKey: 'admin', tokenSecret: 'x'.repeat(32), sealingKeys: 'ab'.repeat(32) },
    newDeps(),
  ),
)
const request = async (method: 'GET' | 'POST', path: string, payload?: object) => {
  const answer = await app.inject({
    method,
    url: `/v1/accounts/acme${path}`,
    headers: { authorization: 'Bearer admin' },
    ...(payload === undefined ? {} : { payload }),
  })
  expect(answer.statusCode, answer.body).toBeLessThan(300)
  return answer.json()
}

/** `<listener> <event type>` of what the handlers were given. */
const told: string[] = []
const handlers = ['http_callback', 'amqp_callback'].map((name) =>
  defineHandler({
    name,
    description: 'Remembers what it would deliver.',
    config: z.looseObject({ listener_id: z.string() }),
    async handle({ config, event }) {
      told.push(`${config.listener_id} ${event.event_type}`)
    },
  }),
)

beforeAll(async () => {
  const deps = newDeps()
  stack.use(
    await createWorker({ handlers }, { ...deps, catalog: store.catalog, progress: store.progress }),
  )
  stack.use(await createDispatcher({}, newDeps()))
  for (const [listener_id, selector] of Object.entries(LISTENERS)) {
    const callback =
      listener_id === 'tasks'
        ? { type: 'amqp', exchange: 'tasks' }
        : { type: 'http', url: 'https://8.8.8.8/hook' }
    await request('POST', '/listeners', { listener_id, ...selector, callback })
  }
})

const notificationOf = (event: string, id = event) => ({
  id,
  event,
  name: 'send',
  workflow_name: 'billing.monthly',
  state: event.endsWith('FAILED') ? 'ERROR' : 'RUNNING',
  ...(event.startsWith('TASK_') ? { workflow_execution_id: 'execution' } : {}),
})

test('a notification of each name reaches the listeners that are for it, and no other', async () => {
  for (const event of MISTRAL_EVENT_TYPES) {
    await request('POST', '/sources/mistral', notificationOf(event))
  }
  const expected = [
    ...MISTRAL_EVENT_TYPES.flatMap((type) => [`all ${type}`, `billing ${type}`]),
    ...MISTRAL_EVENT_GROUPS.EXECUTION.map((type) => `executions ${type}`),
    ...MISTRAL_EVENT_GROUPS.TASK.map((type) => `tasks ${type}`),
    ...MISTRAL_ON_EVENTS['on-task-complete'].map((type) => `done ${type}`),
    'failed WORKFLOW_FAILED',
    'failed TASK_FAILED',
  ]
  await waitFor(() => told.length >= expected.length, { what: 'every listener to be told' })
  expect(told.toSorted()).toEqual(expected.toSorted())
})

test('what one listener missed is sent to it alone, once, and its run ends like any other', async () => {
  await waitFor(async () => (await outcomes()).every((one) => one === 'succeeded'), {
    what: 'the runs before to end',
  })
  told.length = 0
  const missed = { conversation_key: 'execution', since: '2026-01-01T00:00:00Z', request_id: 'x' }
  for (const _ of [1, 2]) await request('POST', '/listeners/done/republish', missed)
  const { event_id } = await request('POST', '/listeners/tasks/test')
  await waitFor(() => told.includes('tasks listener_test'), { what: 'the test to arrive' })
  await waitFor(async () => (await outcomes()).every((one) => one === 'succeeded'), {
    what: 'the runs to end',
  })
  expect(told.toSorted()).toEqual(
    [
      ...MISTRAL_ON_EVENTS['on-task-complete'].map((type) => `done ${type}`),
      'tasks listener_test',
    ].toSorted(),
  )
  expect(await request('GET', `/events/${event_id}`)).toMatchObject({
    outcome: 'succeeded',
    runs: [{ status: 'succeeded', resent: { listener_id: 'tasks', reason: 'test' } }],
  })
})

async function outcomes(): Promise<string[]> {
  const { items } = await request('GET', '/events')
  return (items as { outcome: string }[]).map(({ outcome }) => outcome)
}

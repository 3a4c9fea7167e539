import { MISTRAL_EVENT_TYPES, type VumiApiEvent } from '@signalbox/contracts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fixture, startFixture } from './fixture.ts'

const EXECUTION = {
  id: '0f9d2e6a-4b9e-4d43-9a56-6a3d0b1a9d10',
  name: 'billing.monthly',
  workflow_name: 'billing.monthly',
  workflow_namespace: '',
  workflow_id: '8a7f0a51-13f5-47f5-a3c5-f0a7a4d3d111',
  state: 'ERROR',
  state_info: 'no money',
  project_id: 'demo',
  created_at: '2026-01-31 09:30:00',
  updated_at: '2026-01-31 09:30:02',
}
const TASK = { ...EXECUTION, id: 'task-1', type: 'ACTION', workflow_execution_id: EXECUTION.id }

let api: Fixture
beforeAll(async () => {
  api = await startFixture()
})
afterAll(() => api[Symbol.asyncDispose]())

/** As Python's requests posts a text: without a Content-Type. */
const notify = (notification: object, headers: Record<string, string> = {}, credential?: string) =>
  api.call(
    {
      method: 'POST',
      url: '/v1/accounts/acme/sources/mistral',
      payload: Buffer.from(JSON.stringify(notification)),
      headers,
    },
    credential,
  )
const events = () => api.published.map(({ body }) => JSON.parse(body.toString()) as VumiApiEvent)

test.each(MISTRAL_EVENT_TYPES.map((event) => [event]))(
  'a notification of %s is an event, and answered as Mistral wants it',
  async (event) => {
    const notification = { ...(event.startsWith('TASK_') ? TASK : EXECUTION), event }
    const answer = await notify(notification)
    expect(answer.statusCode, answer.body).toBe(201)
    const { event_id } = answer.json<{ event_id: string }>()
    await expect
      .poll(() => events().find((one) => one.event_id === event_id))
      .toMatchObject({
        account_key: 'acme',
        conversation_type: 'workflow',
        conversation_key: EXECUTION.id,
        event_type: event,
        event_data: notification,
      })
  },
)

test('the same notification again is the same event, whatever its Content-Type', async () => {
  const notification = { ...TASK, event: 'TASK_FAILED', updated_at: 'later' }
  const ids = new Set<string>()
  for (const type of [
    undefined,
    'application/json',
    'text/plain',
    'application/x-www-form-urlencoded',
  ]) {
    const answer = await notify(notification, type === undefined ? {} : { 'content-type': type })
    expect(answer.statusCode, answer.body).toBe(201)
    ids.add(answer.json<{ event_id: string }>().event_id)
  }
  expect(ids.size).toBe(1)
})

test('what is no notification is refused with the fault', async () => {
  expect((await notify({ event: 'TASK_FAILED' })).json()).toMatchObject({
    status: 400,
    errors: [{ path: 'id', message: 'is required' }],
  })
  const text = await api.call({
    method: 'POST',
    url: '/v1/accounts/acme/sources/mistral',
    payload: 'event=TASK_FAILED',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  expect(text.json()).toMatchObject({ status: 400, code: 'SB_INVALID_JSON' })
})

test('a key of the account that may publish is enough, and one that may not is refused', async () => {
  const notification = { ...TASK, event: 'TASK_FAILED' }
  const publish = await api.keyOf('acme', 'publish')
  const read = await api.keyOf('acme', 'read')
  const foreign = await api.keyOf('other', 'publish')
  const answers = await Promise.all(
    [publish, read, foreign].map((credential) => notify(notification, {}, credential)),
  )
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([201, 403, 403])
})

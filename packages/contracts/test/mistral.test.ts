import { describe, expect, it } from 'vitest'
import {
  completeEvent,
  eventFromMistral,
  eventSchema,
  MISTRAL_EVENT_GROUPS,
  MISTRAL_EVENT_TYPES,
  mistralNotificationSchema,
} from '../src/index.ts'

const TASK = {
  id: '2b1c9b39-9a3b-4c5e-8a42-5d8c1f0c7a11',
  name: 'send_invoice',
  workflow_execution_id: '0f9d2e6a-4b9e-4d43-9a56-6a3d0b1a9d10',
  workflow_name: 'billing.monthly',
  workflow_namespace: '',
  workflow_id: '8a7f0a51-13f5-47f5-a3c5-f0a7a4d3d111',
  state: 'SUCCESS',
  state_info: null,
  type: 'ACTION',
  project_id: 'demo',
  created_at: '2026-01-31 09:30:00',
  updated_at: '2026-01-31 09:30:02',
  event: 'TASK_SUCCEEDED',
}

describe("what Mistral's webhook publisher posts", () => {
  it('is an event of the execution, with all that was posted', () => {
    const event = completeEvent(eventFromMistral('acme', mistralNotificationSchema.parse(TASK)))
    expect(eventSchema.parse(event)).toMatchObject({
      account_key: 'acme',
      conversation_type: 'workflow',
      conversation_key: TASK.workflow_execution_id,
      event_type: 'TASK_SUCCEEDED',
      event_data: TASK,
    })
  })

  it('is one of the execution itself when it is about a workflow', () => {
    const { workflow_execution_id: _of, type: _type, ...execution } = TASK
    const posted = mistralNotificationSchema.parse({ ...execution, event: 'WORKFLOW_FAILED' })
    expect(eventFromMistral('acme', posted)).toMatchObject({ conversation_key: TASK.id })
  })

  it('is the same event when it is posted again, and another when anything happened', () => {
    const idOf = (overrides: object, account = 'acme') =>
      eventFromMistral(account, mistralNotificationSchema.parse({ ...TASK, ...overrides })).event_id
    const first = idOf({})
    expect(idOf({ state_info: 'said again' })).toBe(first)
    const others = [
      idOf({}, 'other'),
      idOf({ id: 'another' }),
      idOf({ event: 'TASK_RERUN' }),
      idOf({ state: 'ERROR' }),
      idOf({ updated_at: '2026-01-31 09:30:03' }),
    ]
    expect(new Set([first, ...others]).size).toBe(6)
  })

  it('may have fields that nobody knows, and lack most of those it has', () => {
    expect(mistralNotificationSchema.parse({ id: 'x', event: 'TASK_FAILED', more: [1] })).toEqual({
      id: 'x',
      event: 'TASK_FAILED',
      more: [1],
    })
    expect(mistralNotificationSchema.safeParse({ id: 'x' }).success).toBe(false)
    expect(mistralNotificationSchema.safeParse({ id: 'x', event: 'a b' }).success).toBe(false)
  })
})

it('the names of its events are in two groups', () => {
  expect(MISTRAL_EVENT_GROUPS.EXECUTION).toHaveLength(7)
  expect(MISTRAL_EVENT_GROUPS.TASK).toHaveLength(8)
  expect(new Set(MISTRAL_EVENT_TYPES).size).toBe(15)
})

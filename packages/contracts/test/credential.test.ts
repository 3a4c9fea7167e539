import { describe, expect, test } from 'vitest'
import {
  msisdnSchema,
  STATE_CHANGE_EVENTS,
  socketRequestSchema,
  tokenClaimsSchema,
  tokenRequestSchema,
} from '../src/index.ts'

describe('a request for a token', () => {
  test.each([{ person_key: 'p1' }, { scope: 'account' }, { person_key: 'p1', ttl_seconds: 60 }])(
    'may be %j',
    (request) => {
      expect(tokenRequestSchema.safeParse(request).success).toBe(true)
    },
  )
  test.each([
    {},
    { person_key: 'p1', scope: 'account' },
    { scope: 'all' },
    { person_key: 'p1', ttl_seconds: 0 },
    { person_key: 'p1', ttl_seconds: 86_401 },
    { person_key: 'p1', ttl_seconds: 1.5 },
    { person_key: 'p1', admin: true },
  ])('may not be %j', (request) => {
    expect(tokenRequestSchema.safeParse(request).success).toBe(false)
  })
  test('lasts an hour when it does not say', () => {
    expect(tokenRequestSchema.parse({ person_key: 'p1' }).ttl_seconds).toBe(3_600)
  })
})

test('claims without an end or an account are none', () => {
  expect(tokenClaimsSchema.safeParse({ account_key: 'acme', sub: 'p1', exp: 1 }).success).toBe(true)
  expect(tokenClaimsSchema.safeParse({ account_key: 'acme', sub: 'p1' }).success).toBe(false)
  expect(tokenClaimsSchema.safeParse({ sub: 'p1', exp: 1 }).success).toBe(false)
})

test.each([
  ['+27820000001', '+27820000001'],
  ['27820000001', '+27820000001'],
  ['0820000001', '+0820000001'],
  ['12345', undefined],
  ['+1234567890123456', undefined],
  ['+27 82 000 0001', undefined],
  ['٠٨٢٠٠٠٠٠٠١', undefined],
])('the number %j is kept as %j', (text, expected) => {
  expect(msisdnSchema.safeParse(text).data).toBe(expected)
})

describe('a request over a socket', () => {
  const request = {
    action: 'subscribe_state_change',
    request_id: 1_519_211_809_934,
    data: { person_key: 'p1', entity: 'flow' },
  }
  test.each([
    request,
    { ...request, action: 'unsubscribe_state_change' },
    { ...request, request_id: 'r-1' },
    { ...request, data: { ...request.data, entity: 'step' }, more: true },
    { ...request, action: 'subscribe', data: { event_type: 'said', when: 'true' } },
    { ...request, action: 'unsubscribe', data: { all: true } },
    { action: 'list', request_id: 1 },
  ])('may be %j', (candidate) => {
    expect(socketRequestSchema.safeParse(candidate).success).toBe(true)
  })
  test.each([
    { ...request, action: 'publish' },
    { ...request, action: 'subscribe', data: { when: 'true' } },
    { ...request, request_id: null },
    { ...request, request_id: '' },
    { ...request, data: { person_key: 'p1', entity: 'run' } },
    { ...request, data: { entity: 'flow' } },
    { action: request.action, request_id: 1 },
    [],
    null,
  ])('may not be %j', (candidate) => {
    expect(socketRequestSchema.safeParse(candidate).success).toBe(false)
  })
})

test('flows and steps have their own states', () => {
  const change = { id: 'f1', identifier: 'welcome', state: 'exited', previous_state: 'active' }
  const { flow_state_change: flow, step_state_change: step } = STATE_CHANGE_EVENTS
  expect(flow.schema.safeParse(change).success).toBe(true)
  expect(step.schema.safeParse(change).success).toBe(false)
  expect(step.schema.safeParse({ ...change, state: 'completed' }).success).toBe(true)
  expect(step.schema.safeParse({ ...change, state: 'active', previous_state: null }).success).toBe(
    true,
  )
})

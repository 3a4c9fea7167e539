import { describe, expect, test } from 'vitest'
import {
  commandInputSchema,
  completeCommand,
  completeEvent,
  eventInputSchema,
  eventRoutingKey,
  eventSchema,
  firedEventSchema,
  invocationBatchSchema,
  stepResultSchema,
} from '../src/index.ts'
import { eventInput } from './events.ts'

describe('an event as a source sends it', () => {
  test.each([
    ['the least it needs', {}],
    ['a person', { person_key: '+27820000001' }],
    ['its own identity', { event_id: 'order-17', timestamp: '2026-01-31T09:30:00Z' }],
    ['data of any shape', { event_data: { a: [1, { b: null }], 'key with spaces': true } }],
    ['a cause', { caused_by: { event_id: 'e', run_id: 'r', step_id: 's', hops: 1 } }],
  ])('is accepted with %s', (_what, fields) => {
    expect(eventInputSchema.safeParse(eventInput(fields)).success).toBe(true)
  })

  test.each([
    ['account_key', { account_key: 'a b' }],
    ['account_key', { account_key: undefined }],
    ['conversation_key', { conversation_key: '' }],
    ['conversation_type', { conversation_type: '*' }],
    ['event_type', { event_type: 'a.b' }],
    ['event_data', { event_data: [] }],
    ['event_data', { event_data: null }],
    ['event_data', { event_data: undefined }],
    ['timestamp', { timestamp: '2013-02-28 14:00:00' }],
    ['person_key', { person_key: 'two words' }],
    ['person_key', { person_key: null }],
    ['event_id', { event_id: '名'.repeat(128) }],
    ['caused_by', { caused_by: { event_id: 'e', run_id: 'r', step_id: 's', hops: 0 } }],
  ])('is refused for its %s: %j', (field, fields) => {
    const outcome = eventInputSchema.safeParse(eventInput(fields))
    expect(outcome.error?.issues[0]?.path[0]).toBe(field)
  })

  test('keeps fields that nobody knows', () => {
    const sent = eventInput({ venue: { city: 'Cape Town' } })
    expect(eventInputSchema.parse(sent)).toEqual(sent)
  })

  test('is completed with an identity and a time, and keeps those it has', () => {
    const nowMs = Date.parse('2026-01-31T09:30:00.000Z')
    const completed = completeEvent(eventInput(), nowMs)
    expect(eventSchema.parse(completed)).toEqual(completed)
    expect(completed.timestamp).toBe('2026-01-31T09:30:00.000Z')
    expect(completed.event_id).toMatch(/^[0-9a-f-]{36}$/)

    const own = eventInput({ event_id: 'order-17', timestamp: '2026-01-01T00:00:00Z' })
    expect(completeEvent(own, nowMs)).toEqual(own)
  })

  test('is routed by kind and account', () => {
    expect(eventRoutingKey(completeEvent(eventInput()))).toBe('poll.poll_complete.acme')
  })
})

test('an event that a handler fires cannot choose its identity or cause', () => {
  const { account_key: _account, ...fired } = eventInput({ event_id: 'mine', caused_by: 'me' })
  const shape = Object.keys(firedEventSchema.shape)
  expect(shape).not.toContain('event_id')
  expect(shape).not.toContain('caused_by')
  expect(shape).not.toContain('account_key')
  expect(firedEventSchema.safeParse(fired).success).toBe(true)
})

describe('a command', () => {
  test('is completed with an identity and empty arguments', () => {
    const command = completeCommand({ worker_name: 'survey', command: 'start' })
    expect(command).toEqual({
      command_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      worker_name: 'survey',
      command: 'start',
      args: [],
      kwargs: {},
    })
  })

  test.each([
    ['worker_name', { command: 'start' }],
    ['command', { worker_name: 'survey', command: 'two words' }],
    ['args', { worker_name: 'survey', command: 'start', args: {} }],
    ['kwargs', { worker_name: 'survey', command: 'start', kwargs: [] }],
  ])('is refused for its %s', (field, command) => {
    expect(commandInputSchema.safeParse(command).error?.issues[0]?.path).toEqual([field])
  })
})

describe('what dispatcher and workers send each other', () => {
  const invocation = {
    invocation_id: 'i1',
    attempt: 1,
    handler: 'send_sms',
    config: { to: '+27' },
    context: {
      run_id: 'r1',
      event: completeEvent(eventInput()),
      results: { contact: { msisdn: '+27' } },
      chain: {
        chain_id: 'c1',
        version: 3,
        name: 'Chain',
        steps: [{ id: 'sms', handler: 'send_sms', config: {}, on_error: 'stop' }],
      },
      step_index: 0,
      trace: 'kept',
    },
  }

  test('an invocation travels whole, with fields that nobody knows', () => {
    expect(invocationBatchSchema.parse([invocation])).toEqual([invocation])
  })

  test.each([
    ['no item', []],
    ['more items than a batch may have', Array<unknown>(65).fill(invocation)],
    ['an item that is not one', [{ ...invocation, attempt: 0 }]],
    ['a bare invocation', invocation],
  ])('a batch may not have %s', (_what, batch) => {
    expect(invocationBatchSchema.safeParse(batch).success).toBe(false)
  })

  test('an error is retryable unless it says otherwise', () => {
    const result = stepResultSchema.parse({
      invocation_id: 'i1',
      attempt: 1,
      status: 'failed',
      error: { code: 'GATEWAY_DOWN', message: 'no answer' },
      duration_ms: 3,
      context: invocation.context,
    })
    expect(result.error?.retryable).toBe(true)
  })
})

import { UnavailableError } from '@signalbox/kit'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineHandler } from '../src/index.ts'
import { anEvent, testHandler } from '../src/testing.ts'

const greet = defineHandler({
  name: 'greet',
  description: '',
  config: z.object({ name: z.string() }),
  async handle({ config, event, results, error, attempt, idempotencyKey }) {
    if (config.name === 'away') throw new UnavailableError('away')
    const { account_key } = event
    return {
      output: {
        ...config,
        account_key,
        results,
        attempt,
        idempotencyKey,
        code: error?.code ?? null,
      },
    }
  },
})

test('a handler is run with what the test gives, and defaults for the rest', async () => {
  const outcome = await testHandler(greet, {
    config: { name: 'Ann' },
    event: { account_key: 'acme' },
    results: { before: 1 },
    error: { step_id: 'before', code: 'NO', message: 'no' },
    attempt: 3,
    idempotencyKey: 'key',
  })
  expect(outcome).toEqual({
    status: 'succeeded',
    output: {
      name: 'Ann',
      account_key: 'acme',
      results: { before: 1 },
      attempt: 3,
      idempotencyKey: 'key',
      code: 'NO',
    },
    error: undefined,
    events: [],
    commands: [],
  })
})

test('a bad config is an outcome, as in production', async () => {
  const { status, error } = await testHandler(greet)
  expect(status).toBe('failed')
  expect(error?.code).toBe('SB_HANDLER_CONFIG')
})

test('a handler whose needs are away fails at once instead of waiting', async () => {
  const { error } = await testHandler(greet, { config: { name: 'away' } })
  expect(error).toEqual({ code: 'SB_UNAVAILABLE', message: 'away', retryable: true })
})

test('an event for a test is complete, and refuses what no event may have', () => {
  expect(anEvent({ person_key: 'p' })).toMatchObject({
    account_key: 'test',
    conversation_type: 'poll',
    event_type: 'poll_complete',
    event_data: {},
    person_key: 'p',
  })
  expect(() => anEvent({ account_key: '' })).toThrow(/account_key/)
})

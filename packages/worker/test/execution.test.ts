import { UnavailableError } from '@signalbox/kit'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { executeInvocation } from '../src/execution.ts'
import { workerStopped } from '../src/in-time.ts'
import {
  type Deferral,
  defer,
  defineHandler,
  HandlerError,
  type HandlerOutcome,
} from '../src/index.ts'
import { anInvocation, execution } from './invocations.ts'

afterEach(() => {
  vi.useRealTimers()
})

/** A handler without schemas of its own that does `handle`. */
function handlerThat(
  handle: () =>
    | HandlerOutcome<never>
    | Deferral
    | Promise<HandlerOutcome<never> | Deferral | undefined>,
  options: { timeoutMs?: number; fires?: { conversation_type: string; event_type: string }[] } = {},
) {
  return defineHandler({
    name: 'it',
    description: '',
    config: z.looseObject({}),
    ...options,
    handle,
  })
}

const run = (handler: ReturnType<typeof handlerThat>) =>
  executeInvocation(handler, anInvocation('it'), execution())

describe('what goes in', () => {
  const greet = defineHandler({
    name: 'greet',
    description: '',
    config: z.object({ to: z.string(), times: z.int().default(2) }),
    handle: async ({ config, event, idempotencyKey }) => ({
      output: { ...config, from: event.account_key, idempotencyKey },
    }),
  })

  test('the handler gets its config as its schema reads it, the event and the key', async () => {
    const invocation = anInvocation('greet', { to: 'Ann', ignored: true })
    const result = await executeInvocation(greet, invocation, execution())
    expect(result).toMatchObject({
      status: 'succeeded',
      invocation_id: invocation.invocation_id,
      attempt: 1,
      output: { to: 'Ann', times: 2, from: 'test', idempotencyKey: invocation.invocation_id },
    })
    expect(result.context).toBe(invocation.context)
    expect(result.duration_ms).toBeGreaterThanOrEqual(0)
  })

  test('a config that does not fit names every bad field and cannot be retried', async () => {
    const result = await executeInvocation(
      greet,
      anInvocation('greet', { times: 1.5 }),
      execution(),
    )
    expect(result.status).toBe('failed')
    expect(result.error).toMatchObject({ code: 'SB_HANDLER_CONFIG', retryable: false })
    expect(result.error?.message).toMatch(
      /^the config of handler "greet" is not valid: to: .+; times: /,
    )
  })
})

describe('what comes out', () => {
  test('nothing at all is a success without output', async () => {
    const result = await run(handlerThat(async () => undefined))
    expect(result).toMatchObject({ status: 'succeeded' })
    expect(result).not.toHaveProperty('output')
  })

  test('events and commands that were announced are passed on', async () => {
    const kind = { conversation_type: 'poll', event_type: 'closed' }
    const event = { ...kind, conversation_key: 'c', event_data: { n: 1 } }
    const command = { worker_name: 'sms', command: 'send' }
    const result = await run(
      handlerThat(() => ({ events: [event], commands: [command] }), { fires: [kind] }),
    )
    expect(result.events).toEqual([event])
    expect(result.commands).toEqual([{ ...command, args: [], kwargs: {} }])
  })

  const anEvent = (event_type: string) => ({
    conversation_type: 'poll',
    event_type,
    conversation_key: 'c',
    event_data: {},
  })
  test.each([
    [
      'an event of a kind that it does not list',
      { events: [anEvent('other')] },
      /events\[0\]: poll\.other is not one of the kinds/,
    ],
    [
      'an event without its kind',
      { events: [{ ...anEvent('x'), event_type: '' }] },
      /events\[0\]\.event_type/,
    ],
    [
      'more than 100 events',
      { events: Array.from({ length: 101 }, () => anEvent('x')) },
      /events: .*100/,
    ],
    [
      'a command to nobody',
      { commands: [{ worker_name: '', command: 'x' }] },
      /commands\[0\]\.worker_name/,
    ],
    [
      'an event too large for a message',
      { events: [{ ...anEvent('x'), event_data: { text: 'x'.repeat(250 * 1024) } }] },
      /has \d+ bytes/,
    ],
    [
      'output over 64 KiB',
      { output: 'x'.repeat(64 * 1024) as never },
      /has 65538 bytes; at most 65536/,
    ],
    ['output that is no JSON', { output: { big: 1n } as never }, /cannot be written as JSON/],
    ['output that is a function', { output: (() => 1) as never }, /cannot be written as JSON/],
  ])('%s fails the step for good', async (_what, returned, message) => {
    const kinds = [{ conversation_type: 'poll', event_type: 'x' }]
    const result = await run(handlerThat(() => returned, { fires: kinds }))
    expect(result.error).toMatchObject({ code: 'SB_HANDLER_OUTPUT', retryable: false })
    expect(result.error?.message).toMatch(message)
    expect(result).not.toHaveProperty('events')
  })

  test('output has to fit the output schema', async () => {
    const handler = defineHandler({
      name: 'it',
      description: '',
      config: z.object({}),
      output: z.object({ total: z.number().max(9) }),
      handle: () => ({ output: { total: 10 } }),
    })
    const result = await executeInvocation(handler, anInvocation('it'), execution())
    expect(result.error?.code).toBe('SB_HANDLER_OUTPUT')
    expect(result.error?.message).toContain('total: ')
  })
})

describe('what goes wrong', () => {
  test('a HandlerError says by itself whether and when it may pass', async () => {
    const result = await run(
      handlerThat(async () => {
        throw new HandlerError({ code: 'FULL', message: 'full', retryAfterMs: 500 })
      }),
    )
    expect(result.error).toEqual({
      code: 'FULL',
      message: 'full',
      retryable: true,
      retry_after_ms: 500,
    })
  })

  test('a handler that throws at once, without a promise, fails like any other', async () => {
    const result = await run(
      handlerThat(() => {
        throw new Error('at once')
      }),
    )
    expect(result.error).toMatchObject({ code: 'SB_HANDLER_FAILED', retryable: true })
  })

  test('a handler that never ends fails when its time is over, and hears of it', async () => {
    vi.useFakeTimers()
    let heard: unknown
    const handler = defineHandler({
      name: 'it',
      description: '',
      config: z.object({}),
      timeoutMs: 1_000,
      handle: ({ signal }) =>
        new Promise<void>(() => signal.addEventListener('abort', () => (heard = signal.reason))),
    })
    const pending = executeInvocation(handler, anInvocation('it'), execution())
    await vi.advanceTimersByTimeAsync(1_000)
    const { error } = await pending
    expect(error).toMatchObject({ code: 'SB_HANDLER_FAILED', retryable: true })
    expect(error?.message).toBe('handler "it" took longer than 1000 ms')
    expect(heard).toBeInstanceOf(Error)
    expect(vi.getTimerCount()).toBe(0)
  })

  test.each([
    [200, 200],
    [5_000, 1_000],
  ])('a step of %i ms and a handler of 1000 ms have %i ms', async (timeout_ms, expectedMs) => {
    vi.useFakeTimers()
    const handler = handlerThat(() => new Promise<never>(() => undefined), { timeoutMs: 1_000 })
    const invocation = anInvocation('it', {}, { timeout_ms })
    const pending = executeInvocation(handler, invocation, execution())
    await vi.advanceTimersByTimeAsync(expectedMs)
    expect((await pending).error?.message).toBe(`handler "it" took longer than ${expectedMs} ms`)
  })

  test('what the handler needs being away for a moment is waited out, with the same key', async () => {
    const handle = vi.fn(async () => undefined as HandlerOutcome<never> | undefined)
    handle.mockRejectedValueOnce(new UnavailableError('redis is away'))
    const result = await executeInvocation(handlerThat(handle), anInvocation('it'), {
      ...execution(),
      patienceMs: 10_000,
    })
    expect(result.status).toBe('succeeded')
    expect(handle).toHaveBeenCalledTimes(2)
  })

  test('a worker that stops is not the handler’s failure: there is no result', async () => {
    const shutdown = new AbortController()
    const pending = executeInvocation(
      handlerThat(() => new Promise(() => undefined)),
      anInvocation('it'),
      {
        ...execution(),
        shutdown: shutdown.signal,
      },
    )
    const reason = workerStopped()
    shutdown.abort(reason)
    await expect(pending).rejects.toBe(reason)
  })
})

describe('a handler that puts its attempt off', () => {
  test.each([
    [1_500.2, { status: 'deferred', retry_after_ms: 1_501 }],
    [Number.POSITIVE_INFINITY, { status: 'deferred', retry_after_ms: 86_400_000 }],
    [Number.NaN, { status: 'deferred' }],
  ])('for %d ms has neither succeeded nor failed', async (retryAfterMs, expected) => {
    const { status, retry_after_ms, error, output } = await run(
      handlerThat(() => defer({ retryAfterMs })),
    )
    expect({ status, ...(retry_after_ms === undefined ? {} : { retry_after_ms }) }).toEqual(
      expected,
    )
    expect([error, output]).toEqual([undefined, undefined])
  })
})

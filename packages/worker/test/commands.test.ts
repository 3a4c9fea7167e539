import { type Broker, createMemoryBroker, createTopology } from '@signalbox/broker'
import { silentLog, UnavailableError } from '@signalbox/kit'
import { waitFor } from '@signalbox/testkit'
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { consumeCommands, createSource, HandlerError, type Source } from '../src/index.ts'
import { collectOutcomes, type Outcomes } from './invocations.ts'

let broker: Broker
let outcomes: Outcomes
let source: Source

beforeEach(async () => {
  broker = createMemoryBroker({ topology: createTopology(), log: silentLog })
  outcomes = await collectOutcomes(broker)
  source = createSource({ broker })
})
afterEach(() => broker.close())

const deadLetter = async () => {
  await waitFor(() => outcomes.deadLetters.length > 0, { what: 'the dead letter' })
  return outcomes.deadLetters[0]!
}

/** A worker `w` whose command `do` takes `{n}` and does `work`. */
function consume(work: (n: number) => Promise<void>) {
  return consumeCommands(
    {
      workerName: 'w',
      commands: {
        do: { kwargs: z.object({ n: z.int() }), handle: ({ kwargs }) => work(kwargs.n) },
      },
    },
    { broker, log: silentLog },
  )
}

describe('commands', () => {
  test('each reaches its function, with kwargs as its schema reads them', async () => {
    const seen: unknown[] = []
    await consumeCommands(
      {
        workerName: 'w',
        commands: {
          add: {
            kwargs: z.object({ n: z.int(), by: z.int().default(1) }),
            async handle({ kwargs, command_id }) {
              expectTypeOf(kwargs).toEqualTypeOf<{ n: number; by: number }>()
              seen.push({ kwargs, command_id })
            },
          },
          raw: {
            async handle({ kwargs, args }) {
              seen.push({ kwargs, args })
            },
          },
        },
      },
      { broker, log: silentLog },
    )
    const add = await source.publishCommand({ worker_name: 'w', command: 'add', kwargs: { n: 2 } })
    await source.publishCommand({ worker_name: 'w', command: 'raw', args: [1], kwargs: { a: 'b' } })
    await waitFor(() => seen.length === 2, { what: 'both commands' })
    expect(seen).toEqual([
      { kwargs: { n: 2, by: 1 }, command_id: add.command_id },
      { kwargs: { a: 'b' }, args: [1] },
    ])
  })

  test('one that nobody here knows is a dead letter that names it, the worker and what it knows', async () => {
    await consume(async () => undefined)
    await source.publishCommand({ worker_name: 'w', command: 'fly' })
    const { code, about, message } = await deadLetter()
    expect({ code, about }).toEqual({ code: 'SB_UNKNOWN_COMMAND', about: 'command' })
    expect(message).toBe('worker "w" has no command "fly"; it has do')
  })

  test('bad kwargs are a dead letter with their paths', async () => {
    await consume(async () => undefined)
    await source.publishCommand({ worker_name: 'w', command: 'do', kwargs: { n: 'x' } })
    const { code, message } = await deadLetter()
    expect(code).toBe('SB_INVALID_MESSAGE')
    expect(message).toMatch(/^command "do" is not valid: kwargs\.n: /)
  })

  test('what is no command is a dead letter', async () => {
    await consume(async () => undefined)
    await broker.publish({
      exchange: broker.topology.exchange.commands,
      routingKey: 'w',
      body: Buffer.from('{"command":'),
      properties: { messageId: 'm', type: 'VumiApiCommand' },
    })
    expect(await deadLetter()).toMatchObject({ code: 'SB_INVALID_MESSAGE', about: 'command' })
  })

  test.each([
    ['an error that nobody expected', new Error('boom'), 'SB_HANDLER_FAILED'],
    [
      'a HandlerError for good',
      new HandlerError({ code: 'NO', message: 'no', retryable: false }),
      'NO',
    ],
  ])('%s makes it a dead letter', async (_what, error, code) => {
    await consume(() => Promise.reject(error))
    await source.publishCommand({ worker_name: 'w', command: 'do', kwargs: { n: 1 } })
    expect(await deadLetter()).toMatchObject({ code, about: 'command' })
  })

  test('what it needs being away for a moment is waited out', async () => {
    let tries = 0
    await consume(async () => {
      tries += 1
      if (tries === 1) throw new UnavailableError('away')
    })
    await source.publishCommand({ worker_name: 'w', command: 'do', kwargs: { n: 1 } })
    await waitFor(() => tries === 2, { what: 'the second try' })
    await source.publishCommand({ worker_name: 'w', command: 'fly' })
    expect((await deadLetter()).code).toBe('SB_UNKNOWN_COMMAND')
    expect(outcomes.deadLetters).toHaveLength(1)
  })

  test('a failure that may pass gives it back, also to the next worker when this one closes', async () => {
    let tries = 0
    const failing = await consume(async () => {
      tries += 1
      throw new HandlerError({ code: 'LATER', message: 'later' })
    })
    await source.publishCommand({ worker_name: 'w', command: 'do', kwargs: { n: 7 } })
    await waitFor(() => tries === 1, { what: 'the first try' })
    await failing[Symbol.asyncDispose]()

    const done: number[] = []
    await consume(async (n) => void done.push(n))
    await waitFor(() => done.length === 1, { what: 'the second worker' })
    expect(done).toEqual([7])
    expect(outcomes.deadLetters).toEqual([])
  })

  test('one that takes too long hears of it and is given back', async () => {
    const reasons: string[] = []
    let calls = 0
    const hang = async (_command: unknown, signal: AbortSignal) => {
      calls += 1
      if (calls > 1) return
      signal.addEventListener('abort', () => reasons.push(String(signal.reason)))
      await new Promise(() => undefined)
    }
    const options = { workerName: 'w', timeoutMs: 20, commands: { hang: { handle: hang } } }
    const first = await consumeCommands(options, { broker, log: silentLog })
    await source.publishCommand({ worker_name: 'w', command: 'hang' })
    await waitFor(() => reasons.length === 1, { what: 'the end of its time' })
    expect(reasons[0]).toContain('command "hang" took longer than 20 ms')
    await first[Symbol.asyncDispose]()

    await consumeCommands(options, { broker, log: silentLog })
    await waitFor(() => calls === 2, { what: 'the second call' })
  })
})

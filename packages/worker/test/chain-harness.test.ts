import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineHandler, HandlerError } from '../src/index.ts'
import { testChain } from '../src/testing.ts'

const say = defineHandler({
  name: 'say',
  description: '',
  config: z.strictObject({ text: z.string() }),
  handle: ({ config }) => ({ output: { said: config.text } }),
})
const fail = defineHandler({
  name: 'fail',
  description: '',
  config: z.object({}),
  handle() {
    throw new HandlerError({ code: 'NO', message: 'never', retryable: false })
  },
})
const fire = defineHandler({
  name: 'fire',
  description: '',
  config: z.strictObject({ type: z.string() }),
  fires: 'any',
  handle: ({ config, event }) => ({
    events: [
      {
        conversation_type: 'poll',
        event_type: config.type,
        conversation_key: event.conversation_key,
        event_data: {},
      },
    ],
    commands: [{ worker_name: 'w', command: 'note' }],
  }),
})
const handlers = [say, fail, fire]
const on = (event_type: string) => ({ conversation_type: 'poll', event_type })

describe('testChain', () => {
  test('tries a step again, at once, as often as its policy says', async () => {
    const flaky = defineHandler({
      name: 'flaky',
      description: '',
      config: z.object({}),
      handle({ attempt }) {
        if (attempt < 4) throw new HandlerError({ code: 'BUSY', message: 'not yet' })
        return { output: attempt }
      },
    })
    const chainOf = (max_attempts: number) => ({
      name: 'Flaky',
      trigger: on('done'),
      steps: [{ id: 'a', handler: 'flaky', retry: { max_attempts } }],
    })
    const event = on('done')
    const enough = await testChain({ handlers: [flaky], chain: chainOf(4), event })
    expect(enough.runs[0]?.steps.map(({ status }) => status)).toEqual([
      'failed',
      'failed',
      'failed',
      'succeeded',
    ])
    const tooFew = await testChain({ handlers: [flaky], chain: chainOf(3), event })
    expect(tooFew.runs[0]).toMatchObject({ status: 'dead_lettered', error: { code: 'BUSY' } })
  })

  test('runs the steps with templates, conditions and the outputs before them', async () => {
    const { runs, deadLetters } = await testChain({
      handlers,
      chain: {
        name: 'Thanks',
        trigger: { ...on('done'), when: 'event.event_data.score >= 5' },
        steps: [
          { id: 'a', handler: 'say', config: { text: 'Hi ${{ event.event_data.name }}' } },
          { id: 'b', handler: 'say', when: 'results.a.said == "x"', config: { text: 'no' } },
          { id: 'c', handler: 'say', config: { text: '${{ results.a.said }}!' } },
        ],
      },
      event: { ...on('done'), event_data: { score: 5, name: 'Ann' } },
    })
    expect(runs).toMatchObject([
      {
        chain_id: 'chain-1',
        status: 'succeeded',
        steps: [
          { step_id: 'a', handler: 'say', status: 'succeeded', output: { said: 'Hi Ann' } },
          { step_id: 'b', status: 'skipped' },
          { step_id: 'c', status: 'succeeded', output: { said: 'Hi Ann!' } },
        ],
      },
    ])
    expect(deadLetters).toEqual([])
  })

  test('shows the step that stopped a run, as a dead letter', async () => {
    const { runs, deadLetters } = await testChain({
      handlers,
      chain: {
        chain_id: 'mine',
        name: 'Fails',
        trigger: on('done'),
        steps: [
          { id: 'a', handler: 'fail', on_error: 'continue' },
          { id: 'b', handler: 'fail' },
        ],
      },
      event: on('done'),
    })
    expect(runs).toMatchObject([{ status: 'dead_lettered', error: { code: 'NO' } }])
    expect(runs[0]?.steps.map(({ status }) => status)).toEqual(['failed', 'failed'])
    expect(deadLetters).toMatchObject([{ code: 'NO', chain_id: 'mine', step_id: 'b' }])
  })

  test('follows what handlers fire into the chains that it starts', async () => {
    const outcome = await testChain({
      handlers,
      account: 'acme',
      chain: [
        {
          name: 'First',
          trigger: on('one'),
          steps: [{ id: 'f', handler: 'fire', config: { type: 'two' } }],
        },
        {
          name: 'Second',
          trigger: on('two'),
          steps: [{ id: 's', handler: 'say', config: { text: '${{ event.caused_by.step_id }}' } }],
        },
      ],
      event: on('one'),
    })
    expect(outcome.runs.map(({ chain_id }) => chain_id)).toEqual(['chain-1', 'chain-2'])
    expect(outcome.runs[1]?.steps[0]?.output).toEqual({ said: 'f' })
    expect(outcome.firedEvents).toMatchObject([
      { account_key: 'acme', event_type: 'two', caused_by: { hops: 1, path: ['chain-1'] } },
    ])
    expect(outcome.commands).toMatchObject([{ worker_name: 'w', command: 'note', args: [] }])
  })

  test('cuts a loop at the hop limit and names the path', async () => {
    const { runs, deadLetters } = await testChain({
      handlers,
      chain: {
        name: 'Loop',
        trigger: on('one'),
        steps: [{ id: 'f', handler: 'fire', config: { type: 'one' } }],
      },
      event: on('one'),
    })
    expect(runs).toHaveLength(17)
    expect(deadLetters).toMatchObject([{ code: 'SB_HOP_LIMIT' }])
    expect(deadLetters[0]?.path).toHaveLength(17)
  })

  test('says why an event started nothing', async () => {
    const { runs, unmatched } = await testChain({
      handlers,
      chain: {
        name: 'Say',
        trigger: on('done'),
        steps: [{ id: 'a', handler: 'say', config: { text: '' } }],
      },
      event: [on('other')],
    })
    expect(runs).toEqual([])
    expect(unmatched).toMatchObject([
      { event: { event_type: 'other' }, reason: expect.stringMatching(/./) },
    ])
  })

  test('refuses a chain that could not be saved, with all that is wrong with it', async () => {
    const chain = {
      name: 'Wrong',
      trigger: on('done'),
      steps: [
        { id: 'a', handler: 'nobody' },
        { id: 'b', handler: 'say', config: { txt: 'x' } },
      ],
    }
    await expect(testChain({ handlers, chain })).rejects.toMatchObject({
      code: 'SB_INVALID_CHAIN',
      details: expect.arrayContaining([
        expect.objectContaining({ path: 'steps[0].handler' }),
        { path: 'steps[1].config.txt', message: 'is not a known field' },
      ]),
    })
  })
})

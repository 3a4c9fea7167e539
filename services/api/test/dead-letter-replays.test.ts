/** Replaying one dead letter over HTTP. */
import { UnavailableError } from '@signalbox/kit'
import { waitFor } from '@signalbox/testkit'
import { describe, expect, test } from 'vitest'
import { AT, EVENT, RUN, useDeadLetters } from './dead-letter-fixture.ts'
import { startFixture } from './fixture.ts'

const bench = useDeadLetters()
const { offer, keep, post, kept, biography, tell, tellOfTheDeadRun } = bench

describe('replaying from the failed step', () => {
  test('sends the step again under its own identity, with the results before it', async () => {
    await offer('send_sms')
    await keep()
    await tellOfTheDeadRun()
    const answer = await post('/d-1/replay', { from: 'failed_step' })
    expect(answer.json()).toMatchObject({
      state: 'replayed',
      replay: { kind: 'failed_step', run_id: RUN.run_id },
    })
    expect(answer.json()).not.toHaveProperty('body')
    await waitFor(() => bench.invocations.length === 1, { what: 'the invocation' })
    expect(bench.invocations[0]).toMatchObject({
      attempt: 1,
      handler: 'send_sms',
      repeat: true,
      config: { to: '+27820001111', body: 'Hi' },
      context: { run_id: RUN.run_id, results: RUN.results, replay_of: 'd-1' },
    })
    expect(await biography()).toMatchObject({
      outcome: 'pending',
      runs: [{ status: 'running' }],
      replays: [{ dead_letter_id: 'd-1', kind: 'failed_step', run_id: RUN.run_id }],
    })
  })

  test('sends it once, however often it is pressed', async () => {
    await offer('send_sms')
    await keep()
    await post('/d-1/replay', {})
    expect((await post('/d-1/replay', {})).json()).toMatchObject({ state: 'replayed' })
    await post('/d-1/replay', {})
    await keep({ dead_letter_id: 'd-2' })
    await post('/d-2/replay', {})
    await waitFor(() => bench.invocations.some(({ context }) => context.replay_of === 'd-2'), {
      what: 'the invocation of the other letter',
    })
    expect(bench.invocations.map(({ context }) => context.replay_of)).toEqual(['d-1', 'd-2'])
  })

  test('sends it once when it is pressed many times at once', async () => {
    await offer('send_sms')
    await keep()
    const answers = await Promise.all(Array.from({ length: 10 }, () => post('/d-1/replay', {})))
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array(10).fill(200))
    await keep({ dead_letter_id: 'd-2' })
    await post('/d-2/replay', {})
    await waitFor(() => bench.invocations.some(({ context }) => context.replay_of === 'd-2'), {
      what: 'the invocation of the other letter',
    })
    expect(bench.invocations.map(({ context }) => context.replay_of)).toEqual(['d-1', 'd-2'])
    expect(await kept()).toMatchObject({ state: 'replayed' })
    expect((await kept()).replay).not.toHaveProperty('busy_until')
  })

  test('of one that somebody is replaying nothing is sent, until he is taken for dead', async () => {
    await offer('send_sms')
    await keep()
    const replayingUntil = (busy_until: string) =>
      bench.api.store.deadLetters.update('acme', 'd-1', (letter) => ({
        ...letter,
        state: 'replaying',
        replay: { kind: 'failed_step', busy_until },
      }))
    await replayingUntil(new Date(Date.now() + 60_000).toISOString())
    expect((await post('/d-1/replay', {})).json()).toMatchObject({ state: 'replaying' })
    await replayingUntil(AT)
    expect((await post('/d-1/replay', {})).json()).toMatchObject({ state: 'replayed' })
    await waitFor(() => bench.invocations.length > 0, { what: 'the invocation' })
    expect(bench.invocations).toHaveLength(1)
  })

  test('a replay that was cut short is healed by pressing again, in the same way only', async () => {
    await offer('send_sms')
    await keep()
    await bench.api.store.deadLetters.update('acme', 'd-1', (letter) => ({
      ...letter,
      state: 'replaying',
      replay: { kind: 'failed_step', run_id: RUN.run_id },
    }))
    expect((await post('/d-1/replay', { from: 'start' })).json()).toMatchObject({
      code: 'SB_CONFLICT',
      detail: expect.stringContaining('replaying as failed_step, not as'),
    })
    expect((await post('/d-1/replay', {})).json()).toMatchObject({ state: 'replayed' })
    await waitFor(() => bench.invocations.length === 1, { what: 'the invocation' })
  })

  test('a handler that nobody offers is said, and the letter stays open', async () => {
    await keep()
    expect((await post('/d-1/replay', {})).json()).toMatchObject({
      status: 422,
      code: 'SB_UNKNOWN_HANDLER',
    })
    expect(await kept()).toMatchObject({ state: 'open' })
    expect((await kept()).replay).toBeUndefined()
  })

  test('a step that would fail before it is sent is said, and the letter stays open', async () => {
    await offer('send_sms')
    await keep({ body: { json: { ...RUN, results: {} } as never } })
    expect((await post('/d-1/replay', {})).json()).toMatchObject({
      code: 'SB_CONFLICT',
      detail: expect.stringContaining('would fail at once, at step "sms"'),
    })
    expect(await kept()).toMatchObject({ state: 'open' })
  })

  test('a run with nothing left to do has succeeded', async () => {
    const steps = RUN.chain.steps.map((step) => ({ ...step, when: 'false' }))
    await keep({ body: { json: { ...RUN, chain: { ...RUN.chain, steps } } as never } })
    await tellOfTheDeadRun()
    expect((await post('/d-1/replay', {})).json()).toMatchObject({ state: 'replayed' })
    expect(await biography()).toMatchObject({ outcome: 'succeeded' })
  })

  test('while the broker is away nothing is settled, and the letter may be replayed again', async () => {
    await bench.api[Symbol.asyncDispose]()
    bench.api = await startFixture({
      broker: {
        publish: async () => {
          throw new UnavailableError('away', { code: 'SB_BROKER_UNAVAILABLE' })
        },
      },
    })
    await keep()
    expect((await post('/d-1/replay', {})).json()).toMatchObject({ status: 503 })
    expect(await kept()).toMatchObject({ state: 'replaying' })
    expect((await kept()).replay).not.toHaveProperty('busy_until')
  })

  test('a run that fails again is a letter of its own, and the story tells of both', async () => {
    await offer('send_sms')
    await keep()
    await tellOfTheDeadRun()
    await post('/d-1/replay', {})
    await tell({
      fact: 'run_ended',
      at: new Date().toISOString(),
      run_id: RUN.run_id,
      outcome: 'dead_lettered',
      replay_of: 'd-1',
    })
    expect(await biography()).toMatchObject({ outcome: 'dead_lettered' })
    await keep({ dead_letter_id: 'd-2', replay_of: 'd-1' })
    await post('/d-2/replay', {})
    expect(await biography()).toMatchObject({ outcome: 'pending' })
    await tell({
      fact: 'run_ended',
      at: new Date().toISOString(),
      run_id: RUN.run_id,
      outcome: 'succeeded',
      replay_of: 'd-2',
    })
    expect(await biography()).toMatchObject({ outcome: 'succeeded' })
  })
})

describe('replaying from the start', () => {
  const chain = {
    name: 'Thanks',
    enabled: true,
    trigger: { default: true } as const,
    steps: [{ id: 'one', handler: 'log', config: {}, on_error: 'stop' as const }],
  }

  test('starts a new run of the chain as it is now, in the place of the old one', async () => {
    await offer('log')
    await bench.api.store.chains.put('acme', 'thanks', chain)
    await keep()
    await tellOfTheDeadRun()
    const { replay } = (await post('/d-1/replay', { from: 'start' })).json()
    await waitFor(() => bench.invocations.length === 1, { what: 'the invocation' })
    const [invocation] = bench.invocations
    expect(invocation).toMatchObject({ handler: 'log', context: { results: {}, event: EVENT } })
    expect(invocation?.context.run_id).toBe(replay.run_id)
    expect(replay.run_id).not.toBe(RUN.run_id)
    expect(await biography()).toMatchObject({
      outcome: 'pending',
      runs: [
        { run_id: RUN.run_id, status: 'dead_lettered', replaced_by: replay.run_id },
        { run_id: replay.run_id, status: 'running', version: 1 },
      ],
    })
  })

  test('of a chain that was deleted is refused', async () => {
    await keep()
    expect((await post('/d-1/replay', { from: 'start' })).json()).toMatchObject({
      code: 'SB_CONFLICT',
      detail: expect.stringContaining('"thanks" was deleted'),
    })
  })
})

describe('replaying what is no part of a run', () => {
  const command = {
    command_id: 'c-1',
    worker_name: 'survey',
    command: 'close',
    args: [],
    kwargs: {},
  }
  const ofCommand = {
    about: 'command' as const,
    code: 'SB_UNKNOWN_WORKER',
    exchange: 'signalbox.commands',
    routing_key: 'survey',
    body: { json: command },
  }

  test('publishes the message again to where it was sent', async () => {
    const queue = bench.api.broker.topology.workerQueue('survey')
    await bench.api.broker.declare(queue)
    const taken: unknown[] = []
    await bench.api.broker.consume(queue.name, {}, async ({ body, properties }) => {
      taken.push({ type: properties.type, ...(JSON.parse(body.toString()) as object) })
      return { kind: 'ack' }
    })
    await keep(ofCommand)
    expect((await post('/d-1/replay', { from: 'start' })).json()).toMatchObject({
      state: 'replayed',
      replay: { kind: 'message' },
    })
    await waitFor(() => taken.length === 1, { what: 'the command' })
    expect(taken).toEqual([{ type: 'VumiApiCommand', ...command }])
  })

  test('a command that still nobody takes stays open', async () => {
    await keep(ofCommand)
    expect((await post('/d-1/replay', {})).json()).toMatchObject({
      code: 'SB_CONFLICT',
      detail: expect.stringContaining('no queue takes'),
    })
    expect(await kept()).toMatchObject({ state: 'open' })
  })

  test('bytes that are no text are published as they were', async () => {
    const bytes = Buffer.from([0xff, 0x00, 0x7b])
    await keep({
      about: 'event',
      exchange: 'signalbox.events',
      routing_key: 'poll.done.acme',
      body: { base64: bytes.toString('base64') },
    })
    await post('/d-1/replay', {})
    await waitFor(() => bench.api.published.length === 1, { what: 'the message' })
    expect(bench.api.published[0]?.body.equals(bytes)).toBe(true)
  })

  test('a message that was too large to be kept whole is not replayed', async () => {
    await keep({ about: 'event', body: { base64: 'AAAA', cut_from_bytes: 9_000_000 } })
    expect((await post('/d-1/replay', {})).json()).toMatchObject({
      code: 'SB_CONFLICT',
      detail: expect.stringContaining('9000000 bytes'),
    })
  })
})

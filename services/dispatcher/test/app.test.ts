import { LIMITS } from '@signalbox/contracts'
import { UnavailableError } from '@signalbox/kit'
import { waitFor } from '@signalbox/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { ACCOUNT, type Bench, startBench } from './fixtures.ts'

let bench: Bench
afterEach(() => bench[Symbol.asyncDispose]())

const step = (id: string, handler: string, rest: object = {}) => ({ id, handler, ...rest })

describe('the dispatcher', () => {
  it('runs a chain step by step, earlier outputs in view of later steps, and tells it in the biography', async () => {
    bench = await startBench()
    await bench.offer('create_contact', () => ({ output: { msisdn: '+27820000001' } }))
    await bench.offer('send_sms')
    await bench.putChain('thanks', {
      steps: [
        step('contact', 'create_contact', { config: { name: '${{ event.event_data.name }}' } }),
        step('sms', 'send_sms', { config: { to: '${{ results.contact.msisdn }}' } }),
      ],
    })
    const event = await bench.publish({ event_data: { name: 'Ada' } })

    const biography = await bench.biography(event.event_id, 'succeeded')
    expect(bench.invocations.map(({ handler, config }) => ({ handler, config }))).toEqual([
      { handler: 'create_contact', config: { name: 'Ada' } },
      { handler: 'send_sms', config: { to: '+27820000001' } },
    ])
    expect(biography?.runs).toMatchObject([
      {
        chain_id: 'thanks',
        status: 'succeeded',
        steps: [
          { step_id: 'contact', status: 'succeeded' },
          { step_id: 'sms', status: 'succeeded' },
        ],
      },
    ])
  })

  it('tells an event that matches nothing why', async () => {
    bench = await startBench()
    await bench.offer('log')
    await bench.putChain('big', {
      trigger: {
        conversation_type: 'poll',
        event_type: 'poll_complete',
        when: 'event.event_data.score >= 5',
      },
      steps: [step('a', 'log')],
    })
    const event = await bench.publish({ event_data: { score: 3 } })
    expect(await bench.biography(event.event_id, 'unmatched')).toMatchObject({
      reason: 'no chain with a trigger for poll.poll_complete fits this event',
      not_matched: [
        { chain_id: 'big', reason: 'the condition is false: event.event_data.score >= 5' },
      ],
    })
  })

  it('runs the default chain for what matches nothing else', async () => {
    bench = await startBench()
    await bench.offer('log')
    await bench.putChain('fallback', { trigger: { default: true }, steps: [step('a', 'log')] })
    const event = await bench.publish({ event_type: 'unheard_of' })
    expect(await bench.biography(event.event_id, 'succeeded')).toMatchObject({
      runs: [{ chain_id: 'fallback', by_default: true }],
    })
  })

  it('sends a run to the dead letters, with its reason, when a step fails and on_error is stop', async () => {
    bench = await startBench()
    await bench.offer('send_sms', () => ({
      status: 'failed',
      error: { code: 'GATEWAY', message: 'it said 500', retryable: false },
    }))
    await bench.putChain('sms', { steps: [step('a', 'send_sms')] })
    const event = await bench.publish()
    const biography = await bench.biography(event.event_id, 'dead_lettered')
    expect(biography?.runs[0]?.error).toEqual({ code: 'GATEWAY', message: 'it said 500' })
    expect(bench.deadLetters).toMatchObject([
      {
        code: 'GATEWAY',
        message: 'it said 500',
        about: 'invocation',
        account_key: ACCOUNT,
        event_id: event.event_id,
        chain_id: 'sms',
        step_id: 'a',
        handler: 'send_sms',
      },
    ])
  })

  it('sends a step that failed and may pass to be tried again, and tells when', async () => {
    bench = await startBench()
    const error = {
      code: 'GATEWAY',
      message: 'it said 503',
      retryable: true,
      retry_after_ms: 2_000,
    }
    await bench.offer('send_sms', () => ({ status: 'failed', error, redeliveries: 2 }))
    await bench.putChain('sms', { steps: [step('a', 'send_sms', { retry: { max_attempts: 2 } })] })
    const event = await bench.publish()
    const run = await waitFor(
      async () => {
        const biography = await bench.store.biographies.get(ACCOUNT, event.event_id)
        return biography?.runs.find(({ steps }) => steps.length > 0)
      },
      { what: 'the attempt to be told' },
    )
    expect(run).toMatchObject({
      status: 'running',
      steps: [{ attempt: 1, status: 'failed', error: { code: 'GATEWAY' }, redeliveries: 2 }],
    })
    const { at, retry_at } = run.steps[0]!
    expect(Date.parse(retry_at!) - Date.parse(at)).toBe(2_200)
    expect(bench.deadLetters).toEqual([])
  })

  it('runs an event that is published five times once, whatever was saved meanwhile', async () => {
    bench = await startBench()
    await bench.offer('log')
    await bench.putChain('one', { steps: [step('a', 'log')] })
    const event = await bench.publish({ event_id: 'same' })
    await Promise.all([1, 2].map(() => bench.publish({ event_id: 'same' })))
    await bench.biography(event.event_id, 'succeeded')
    await bench.putChain('two', { steps: [step('a', 'log')] })
    await bench.publish({ event_id: 'same' })
    await bench.publish({ event_id: 'same' })
    const proof = await bench.publish()
    const last = await bench.biography(proof.event_id, 'succeeded')
    expect(last?.runs).toHaveLength(2)
    expect(bench.invocations.map(({ context }) => context.event.event_id).toSorted()).toEqual(
      ['same', proof.event_id, proof.event_id].toSorted(),
    )
    expect((await bench.store.biographies.get(ACCOUNT, 'same'))?.runs).toHaveLength(1)
  })

  it('goes on at once with an event that an outage found half-way, and says that it may be a repeat', async () => {
    bench = await startBench()
    await bench.offer('log')
    await bench.putChain('one', { steps: [step('a', 'log')] })
    const { progress } = bench.store
    const finish = progress.finish.bind(progress)
    let failures = 1
    progress.finish = async (...work) => {
      if (failures === 0) return finish(...work)
      failures -= 1
      throw new UnavailableError('the store is away', { code: 'SB_STORE_UNAVAILABLE' })
    }
    const event = await bench.publish()
    const biography = await bench.biography(event.event_id, 'succeeded')
    expect(biography?.runs).toHaveLength(1)
    expect(bench.invocations.at(-1)).toMatchObject({ repeat: true })
    expect(new Set(bench.invocations.map(({ invocation_id }) => invocation_id)).size).toBe(1)
  })

  it('counts the events whose progress fell off before its time', async () => {
    bench = await startBench(undefined, undefined, { maxProgress: 2 })
    await bench.offer('log')
    await bench.putChain('one', { steps: [step('a', 'log')] })
    for (let count = 0; count < 5; count += 1) {
      const { event_id } = await bench.publish()
      await bench.biography(event_id, 'succeeded')
    }
    const counter = bench.metrics.getSingleMetric('signalbox_progress_forgotten_total')
    expect((await counter?.get())?.values).toMatchObject([{ value: 3 }])
  })

  it('takes a result that comes again for a duplicate', async () => {
    bench = await startBench()
    await bench.offer('log')
    await bench.offer('send_sms')
    await bench.putChain('two', { steps: [step('a', 'log'), step('b', 'send_sms')] })
    const event = await bench.publish()
    await bench.biography(event.event_id, 'succeeded')
    const { invocation_id, context } = bench.invocations[0]!
    const again = { invocation_id, attempt: 1, duration_ms: 1, context }
    const { dispatcherResults } = bench.broker.topology.queue
    await bench.publisher.results(dispatcherResults, [{ ...again, status: 'succeeded' }])
    await bench.publisher.results(dispatcherResults, [{ ...again, status: 'failed' }])
    const proof = await bench.publish()
    await bench.biography(proof.event_id, 'succeeded')
    expect(bench.invocations.map(({ handler }) => handler)).toEqual([
      'log',
      'send_sms',
      'log',
      'send_sms',
    ])
    expect(bench.deadLetters).toEqual([])
  })

  it('treats a handler that nobody ever offered as a failed step, and honours its on_error', async () => {
    bench = await startBench()
    await bench.offer('log')
    await bench.putChain('stops', { steps: [step('a', 'nobody')] })
    await bench.putChain('goes-on', {
      steps: [
        step('a', 'nobody', { on_error: 'continue' }),
        step('b', 'log', { when: 'error.code == "SB_UNKNOWN_HANDLER"' }),
      ],
    })
    const event = await bench.publish()
    const biography = await bench.biography(event.event_id, 'dead_lettered')
    const runs = Object.fromEntries((biography?.runs ?? []).map((run) => [run.chain_id, run]))
    expect(runs.stops).toMatchObject({
      status: 'dead_lettered',
      error: { code: 'SB_UNKNOWN_HANDLER' },
    })
    await waitFor(
      async () => {
        const latest = await bench.store.biographies.get(ACCOUNT, event.event_id)
        return latest?.runs.find((run) => run.chain_id === 'goes-on')?.status === 'succeeded'
      },
      { what: 'the other run to end' },
    )
  })

  it('publishes what a step fires with its cause, under identities that follow from the invocation', async () => {
    bench = await startBench()
    await bench.offer('create_contact', () => ({
      events: [
        {
          conversation_type: 'contact',
          event_type: 'contact_created',
          conversation_key: 'c1',
          event_data: {},
        },
      ],
    }))
    await bench.putChain('contact', { steps: [step('a', 'create_contact')] })
    const event = await bench.publish()
    const biography = await bench.biography(event.event_id, 'succeeded')
    const [firedId] = biography?.runs[0]?.steps[0]?.fired_events ?? []
    const fired = await bench.biography(firedId!, 'unmatched')
    expect(fired?.event).toMatchObject({
      account_key: ACCOUNT,
      event_type: 'contact_created',
      caused_by: { event_id: event.event_id, step_id: 'a', hops: 1, path: ['contact'] },
    })
  })

  it('stops a chain that starts itself after 16 hops, with the path in the dead letter', async () => {
    bench = await startBench()
    await bench.offer('fire_event', () => ({
      events: [
        {
          conversation_type: 'poll',
          event_type: 'poll_complete',
          conversation_key: 'spring',
          event_data: {},
        },
      ],
    }))
    await bench.putChain('loop', { steps: [step('a', 'fire_event')] })
    await bench.publish()
    const [letter] = await waitFor(() => bench.deadLetters.length > 0 && bench.deadLetters, {
      what: 'the dead letter',
    })
    expect(letter).toMatchObject({
      code: 'SB_HOP_LIMIT',
      about: 'event',
      path: Array.from({ length: LIMITS.maxHops + 1 }, () => 'loop'),
    })
    expect(bench.invocations).toHaveLength(LIMITS.maxHops + 1)
    expect(await bench.biography(letter!.event_id!, 'dead_lettered')).toMatchObject({
      reason: letter?.message,
    })
  })

  it('routes commands by worker name, and makes a dead letter of one for a worker that does not exist', async () => {
    bench = await startBench()
    const { topology } = bench.broker
    const taken: unknown[] = []
    await bench.broker.declare(topology.workerQueue('survey'))
    await bench.broker.consume(topology.workerQueue('survey').name, {}, async (delivery) => {
      taken.push(JSON.parse(delivery.body.toString()))
      return { kind: 'ack' }
    })
    await bench.offer('send_message', () => ({
      commands: [
        { worker_name: 'survey', command: 'send_message', kwargs: { to: 'p1' } },
        { worker_name: 'nobody', command: 'send_message' },
      ],
    }))
    await bench.putChain('message', { steps: [step('a', 'send_message')] })
    const event = await bench.publish()
    await bench.biography(event.event_id, 'succeeded')
    expect(taken).toMatchObject([
      { worker_name: 'survey', command: 'send_message', args: [], kwargs: { to: 'p1' } },
    ])
    await waitFor(() => bench.deadLetters.length > 0, { what: 'the dead letter' })
    expect(bench.deadLetters).toMatchObject([
      {
        code: 'SB_UNKNOWN_WORKER',
        about: 'command',
        step_id: 'a',
        message: expect.stringContaining('"nobody"') as string,
      },
    ])
  })

  const poison: [string, string, RegExp][] = [
    ['is not JSON', '{"account_key":', /not JSON/],
    ['is JSON but no object', '[]', /not valid/],
    ['lacks a field', '{"account_key":"acme"}', /conversation_key/],
    [
      'has a name that no routing key may hold',
      '{"account_key":"a.b","conversation_key":"c","conversation_type":"t","event_type":"e","event_data":{}}',
      /account_key/,
    ],
    ['is too large', JSON.stringify({ padding: 'x'.repeat(LIMITS.maxMessageBytes) }), /bytes/],
  ]
  it.each(poison)(
    'makes a dead letter of an event that %s, and goes on with the next',
    async (_what, text, reason) => {
      bench = await startBench()
      await bench.broker.publish({
        exchange: bench.broker.topology.exchange.events,
        routingKey: 'poll.poll_complete.acme',
        body: Buffer.from(text),
        properties: { messageId: 'm1', type: 'VumiApiEvent' },
      })
      const sound = await bench.publish()
      await bench.biography(sound.event_id, 'unmatched')
      await waitFor(() => bench.deadLetters.length > 0, { what: 'the dead letter' })
      expect(bench.deadLetters).toMatchObject([
        { about: 'event', message: expect.stringMatching(reason) as string },
      ])
    },
  )

  it('treats a result that breaks the wire contract but carries its run as a failed step', async () => {
    bench = await startBench()
    await bench.offer('log', () => ({ status: 'perfect' as 'succeeded' }))
    await bench.putChain('log', { steps: [step('a', 'log')] })
    const event = await bench.publish()
    const biography = await bench.biography(event.event_id, 'dead_lettered')
    expect(biography?.runs[0]?.error).toMatchObject({
      code: 'SB_INVALID_MESSAGE',
      message: expect.stringContaining('status') as string,
    })
  })

  it('uses a saved chain for the next event though no push ever arrives', async () => {
    bench = await startBench(() => ({ onChange: async () => async () => {} }))
    await bench.offer('log')
    const before = await bench.publish()
    await bench.biography(before.event_id, 'unmatched')
    await bench.putChain('late', { steps: [step('a', 'log')] })
    const after = await bench.publish()
    await bench.biography(after.event_id, 'succeeded')
    await bench.store.chains.delete(ACCOUNT, 'late')
    const last = await bench.publish()
    await bench.biography(last.event_id, 'unmatched')
  })

  it('waits while the store is away, says so, and never reads it as "no chain"', async () => {
    let isAway = false
    bench = await startBench((chains) => ({
      async revision(accountKey) {
        if (!isAway) return chains.revision(accountKey)
        throw new UnavailableError('Redis cannot be reached', { code: 'SB_STORE_UNAVAILABLE' })
      },
    }))
    await bench.offer('log')
    await bench.putChain('log', { steps: [step('a', 'log')] })
    isAway = true
    const event = await bench.publish()
    await waitFor(() => !bench.readiness.report().ready, { what: 'readiness to speak' })
    expect(bench.readiness.report().reasons).toMatchObject({
      dispatch: 'waiting: Redis cannot be reached',
      'consumer signalbox.dispatcher.events': 'paused, not consuming',
    })
    expect(await bench.store.biographies.get(ACCOUNT, event.event_id)).toBeUndefined()
    isAway = false
    await bench.biography(event.event_id, 'succeeded')
    await waitFor(() => bench.readiness.report().ready, { what: 'readiness to recover' })
    expect(bench.invocations).toHaveLength(1)
  })
})

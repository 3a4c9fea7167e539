/** Dead letters over HTTP: looking, replaying, editing, discarding. */
import {
  type BiographyFact,
  completeEvent,
  type HandlerInvocation,
  INSTALLATION_ACCOUNT,
  type KeptDeadLetter,
  type RunContext,
  runIdOf,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { UnavailableError } from '@signalbox/kit'
import type { NewDeadLetter } from '@signalbox/store'
import { waitFor } from '@signalbox/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Fixture, startFixture } from './fixture.ts'

const AT = '2026-03-04T05:06:07.890Z'
const EVENT = completeEvent({
  event_id: 'e-1',
  account_key: 'acme',
  conversation_key: 'spring',
  conversation_type: 'poll',
  event_type: 'poll_complete',
  event_data: { name: 'Ann' },
})
const RUN: RunContext = {
  run_id: runIdOf('acme', 'e-1', 'thanks'),
  event: EVENT,
  results: { contact: { msisdn: '+27820001111' } },
  chain: {
    chain_id: 'thanks',
    version: 3,
    name: 'Thanks',
    steps: [
      { id: 'contact', handler: 'create_contact', config: {}, on_error: 'stop' },
      {
        id: 'sms',
        handler: 'send_sms',
        config: { to: '${{ results.contact.msisdn }}', body: 'Hi' },
        on_error: 'stop',
      },
    ],
  },
  step_index: 1,
}

let api: Fixture
let invocations: HandlerInvocation[]
beforeEach(async () => {
  invocations = []
  api = await startFixture()
})
afterEach(() => api[Symbol.asyncDispose]())

async function offer(handler: string): Promise<void> {
  const queue = api.broker.topology.handlerQueue(handler)
  await api.broker.declare(queue)
  await api.broker.consume(queue.name, {}, async ({ body }) => {
    invocations.push(...(JSON.parse(body.toString()) as HandlerInvocation[]))
    return { kind: 'ack' }
  })
}

function letterOf(fields: Partial<NewDeadLetter> = {}): NewDeadLetter {
  return {
    dead_letter_id: 'd-1',
    account_key: 'acme',
    code: 'GATEWAY',
    message: 'it said 500',
    at: AT,
    about: 'invocation',
    event_id: 'e-1',
    run_id: RUN.run_id,
    chain_id: 'thanks',
    step_id: 'sms',
    handler: 'send_sms',
    exchange: 'signalbox.handlers',
    routing_key: 'send_sms',
    body: { json: { ...RUN, chain: { ...RUN.chain } } as never },
    ...fields,
  }
}

const keep = (fields: Partial<NewDeadLetter> = {}) => api.store.deadLetters.keep(letterOf(fields))
const url = (path: string, account = 'acme') => `/v1/accounts/${account}/dead-letters${path}`
const post = (path: string, payload: object, account = 'acme') =>
  api.call({ method: 'POST', url: url(path, account), payload })
const kept = async (id = 'd-1', account = 'acme') =>
  (await api.store.deadLetters.get(account, id)) as KeptDeadLetter
const biography = () => api.store.biographies.get('acme', 'e-1')
const tell = (...facts: BiographyFact[]) =>
  api.store.biographies.record([{ accountKey: 'acme', eventId: 'e-1', facts }])

async function tellOfTheDeadRun(): Promise<void> {
  const { run_id } = RUN
  await tell(
    { fact: 'received', at: AT, event: EVENT },
    {
      fact: 'matched',
      at: AT,
      matched: [{ chain_id: 'thanks', name: 'Thanks', version: 3, run_id }],
      not_matched: [],
      by_default: false,
    },
    { fact: 'run_ended', at: AT, run_id, outcome: 'dead_lettered' },
  )
}

describe('looking', () => {
  test.each([
    ['', ['d-3', 'd-2', 'd-1']],
    ['?code=SB_HOP_LIMIT', ['d-2']],
    ['?handler=send_sms&chain_id=thanks', ['d-3', 'd-1']],
    ['?conversation_type=poll&event_type=done', ['d-2']],
    ['?state=discarded', ['d-3']],
    ['?event_id=e-1&state=open', ['d-2', 'd-1']],
    ['?since=2026-03-04T06:00:00Z', ['d-3']],
    ['?until=2026-03-04T06:00:00Z', ['d-2', 'd-1']],
  ])(
    'GET /dead-letters%s lists what fits, newest first, without bodies',
    async (query, expected) => {
      await keep()
      await keep({
        dead_letter_id: 'd-2',
        code: 'SB_HOP_LIMIT',
        chain_id: 'loop',
        conversation_type: 'poll',
        event_type: 'done',
      })
      await keep({ dead_letter_id: 'd-3', at: '2026-03-04T07:00:00.000Z' })
      await post('/d-3/discard', { reason: 'a test' })
      const answer = (await api.call({ url: url(query) })).json()
      expect(answer.items.map((item: KeptDeadLetter) => item.dead_letter_id)).toEqual(expected)
      expect(answer.items[0]).not.toHaveProperty('body')
      expect(answer.forgotten).toBe(0)
    },
  )

  test('one letter is read with its message, and by its own account only', async () => {
    await keep()
    const answer = await api.call({ url: url('/d-1') })
    expect(answer.json()).toMatchObject({ state: 'open', body: { json: { run_id: RUN.run_id } } })
    const elsewhere = await api.call({ url: url('/d-1', 'other') })
    expect(elsewhere.json()).toMatchObject({ status: 404, code: 'SB_NOT_FOUND' })
  })

  test('letters are grouped by their cause', async () => {
    await keep()
    await keep({ dead_letter_id: 'd-2' })
    await keep({ dead_letter_id: 'd-3', code: 'OTHER' })
    const { items } = (await api.call({ url: url('/groups?state=open') })).json()
    expect(items).toMatchObject([
      { code: 'GATEWAY', handler: 'send_sms', chain_id: 'thanks', count: 2 },
      { code: 'OTHER', count: 1 },
    ])
  })

  test('what has no account is read with the admin key only', async () => {
    await keep({ account_key: INSTALLATION_ACCOUNT })
    const own = await api.keyOf(INSTALLATION_ACCOUNT, 'read', 'manage')
    const refused = await api.call({ url: url('', INSTALLATION_ACCOUNT) }, own)
    expect(refused.json()).toMatchObject({ status: 403, code: 'SB_FORBIDDEN' })
    expect((await api.call({ url: url('', INSTALLATION_ACCOUNT) })).json().items).toHaveLength(1)
  })

  test('reading needs the scope read, everything else manage', async () => {
    await keep()
    const reader = await api.keyOf('acme', 'read')
    const manager = await api.keyOf('acme', 'manage')
    expect((await api.call({ url: url('/d-1') }, reader)).statusCode).toBe(200)
    expect((await api.call({ url: url('/d-1') }, manager)).statusCode).toBe(403)
    for (const path of ['/d-1/replay', '/replay', '/d-1/discard', '/d-1/edit-and-replay']) {
      const answer = await api.call({ method: 'POST', url: url(path), payload: {} }, reader)
      expect(answer.statusCode, path).toBe(403)
    }
  })

  test.each([
    ['?cause=x', 'cause'],
    ['?state=lost', 'state'],
    ['?since=yesterday', 'since'],
    ['/groups?limit=5', 'limit'],
  ])('GET /dead-letters%s is refused, and the fault named', async (query, path) => {
    const answer = await api.call({ url: url(query) })
    expect(answer.json()).toMatchObject({ code: 'SB_INVALID_INPUT', errors: [{ path }] })
  })
})

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
    await waitFor(() => invocations.length === 1, { what: 'the invocation' })
    expect(invocations[0]).toMatchObject({
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
    await waitFor(() => invocations.some(({ context }) => context.replay_of === 'd-2'), {
      what: 'the invocation of the other letter',
    })
    expect(invocations.map(({ context }) => context.replay_of)).toEqual(['d-1', 'd-2'])
  })

  test('sends it once when it is pressed many times at once', async () => {
    await offer('send_sms')
    await keep()
    const answers = await Promise.all(Array.from({ length: 10 }, () => post('/d-1/replay', {})))
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array(10).fill(200))
    await keep({ dead_letter_id: 'd-2' })
    await post('/d-2/replay', {})
    await waitFor(() => invocations.some(({ context }) => context.replay_of === 'd-2'), {
      what: 'the invocation of the other letter',
    })
    expect(invocations.map(({ context }) => context.replay_of)).toEqual(['d-1', 'd-2'])
    expect(await kept()).toMatchObject({ state: 'replayed' })
    expect((await kept()).replay).not.toHaveProperty('busy_until')
  })

  test('of one that somebody is replaying nothing is sent, until he is taken for dead', async () => {
    await offer('send_sms')
    await keep()
    const replayingUntil = (busy_until: string) =>
      api.store.deadLetters.update('acme', 'd-1', (letter) => ({
        ...letter,
        state: 'replaying',
        replay: { kind: 'failed_step', busy_until },
      }))
    await replayingUntil(new Date(Date.now() + 60_000).toISOString())
    expect((await post('/d-1/replay', {})).json()).toMatchObject({ state: 'replaying' })
    await replayingUntil(AT)
    expect((await post('/d-1/replay', {})).json()).toMatchObject({ state: 'replayed' })
    await waitFor(() => invocations.length > 0, { what: 'the invocation' })
    expect(invocations).toHaveLength(1)
  })

  test('a replay that was cut short is healed by pressing again, in the same way only', async () => {
    await offer('send_sms')
    await keep()
    await api.store.deadLetters.update('acme', 'd-1', (letter) => ({
      ...letter,
      state: 'replaying',
      replay: { kind: 'failed_step', run_id: RUN.run_id },
    }))
    expect((await post('/d-1/replay', { from: 'start' })).json()).toMatchObject({
      code: 'SB_CONFLICT',
      detail: expect.stringContaining('replaying as failed_step, not as'),
    })
    expect((await post('/d-1/replay', {})).json()).toMatchObject({ state: 'replayed' })
    await waitFor(() => invocations.length === 1, { what: 'the invocation' })
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
    await api[Symbol.asyncDispose]()
    api = await startFixture({
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
    await api.store.chains.put('acme', 'thanks', chain)
    await keep()
    await tellOfTheDeadRun()
    const { replay } = (await post('/d-1/replay', { from: 'start' })).json()
    await waitFor(() => invocations.length === 1, { what: 'the invocation' })
    const [invocation] = invocations
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
    const queue = api.broker.topology.workerQueue('survey')
    await api.broker.declare(queue)
    const taken: unknown[] = []
    await api.broker.consume(queue.name, {}, async ({ body, properties }) => {
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
    await waitFor(() => api.published.length === 1, { what: 'the message' })
    expect(api.published[0]?.body.equals(bytes)).toBe(true)
  })

  test('a message that was too large to be kept whole is not replayed', async () => {
    await keep({ about: 'event', body: { base64: 'AAAA', cut_from_bytes: 9_000_000 } })
    expect((await post('/d-1/replay', {})).json()).toMatchObject({
      code: 'SB_CONFLICT',
      detail: expect.stringContaining('9000000 bytes'),
    })
  })
})

describe('editing', () => {
  test('publishes the changed event, with a link both ways', async () => {
    await keep()
    await tellOfTheDeadRun()
    const { event_data: _data, ...rest } = EVENT
    const edited = { ...rest, event_data: { name: 'Anna' }, replay_of: 'x', caused_by: { a: 1 } }
    const { replay } = (await post('/d-1/edit-and-replay', { event: edited })).json()
    await waitFor(() => api.published.length === 1, { what: 'the event' })
    const event = JSON.parse(api.published[0]!.body.toString()) as VumiApiEvent
    expect(event).toMatchObject({ event_data: { name: 'Anna' }, replay_of: 'd-1' })
    expect(event.event_id).toBe(replay.event_id)
    expect(event.event_id).not.toBe('e-1')
    expect(event.caused_by).toBeUndefined()
    expect((await biography())?.replays).toMatchObject([{ new_event_id: event.event_id }])
  })

  test('goes on with a changed config of the step that failed', async () => {
    await offer('send_sms')
    await api.store.catalog.register(
      {
        name: 'send_sms',
        description: '',
        fires: [],
        config_schema: { type: 'object', properties: { to: { type: 'string' } }, required: ['to'] },
      },
      { workerId: 'w', ttlMs: 60_000 },
    )
    await keep()
    const bad = await post('/d-1/edit-and-replay', { config: { to: 7 } })
    expect(bad.json()).toMatchObject({ code: 'SB_INVALID_INPUT', errors: [{ path: 'config.to' }] })
    const late = await post('/d-1/edit-and-replay', { config: { to: '${{ results.sms.id }}' } })
    expect(late.json()).toMatchObject({ errors: [{ path: expect.stringContaining('config') }] })
    expect(await kept()).toMatchObject({ state: 'open' })

    await post('/d-1/edit-and-replay', { config: { to: '${{ event.event_data.name }}' } })
    await waitFor(() => invocations.length === 1, { what: 'the invocation' })
    expect(invocations[0]).toMatchObject({
      config: { to: 'Ann' },
      context: { run_id: RUN.run_id, replay_of: 'd-1' },
    })
    expect(await kept()).toMatchObject({ replay: { kind: 'edited_config' } })
  })

  test.each([
    [{}, ''],
    [{ event: EVENT, config: {} }, ''],
    [{ event: { ...EVENT, event_type: 'a b' } }, 'event.event_type'],
    [{ event: { ...EVENT, account_key: 'other' } }, 'event.account_key'],
    [{ events: [] }, 'events'],
  ])('refuses %o and names the fault', async (payload, path) => {
    await keep()
    const answer = await post('/d-1/edit-and-replay', payload as object)
    expect(answer.json()).toMatchObject({ code: 'SB_INVALID_INPUT', status: 400 })
    expect(answer.json().errors.map((error: { path: string }) => error.path)).toContain(path)
    expect(await kept()).toMatchObject({ state: 'open' })
  })

  test('gives what had no account one', async () => {
    await keep({ account_key: INSTALLATION_ACCOUNT, about: 'event', body: { base64: 'AAAA' } })
    const edit = (event: object) => post('/d-1/edit-and-replay', { event }, INSTALLATION_ACCOUNT)
    const { account_key: _none, ...nobodys } = EVENT
    expect((await edit(nobodys)).json()).toMatchObject({ errors: [{ path: 'event.account_key' }] })
    expect((await edit(EVENT)).json()).toMatchObject({ state: 'replayed' })
    await waitFor(() => api.published.length === 1, { what: 'the event' })
    expect(api.published[0]?.routingKey).toBe('poll.poll_complete.acme')
  })

  test('the config of what is no part of a run cannot be edited', async () => {
    await keep({ about: 'event', body: { base64: 'AAAA' } })
    const answer = await post('/d-1/edit-and-replay', { config: {} })
    expect(answer.json()).toMatchObject({ code: 'SB_CONFLICT' })
  })
})

describe('discarding', () => {
  test('keeps the first reason, and is the end of it', async () => {
    await keep()
    const answer = await post('/d-1/discard', { reason: 'a typing mistake' })
    expect(answer.json()).toMatchObject({
      state: 'discarded',
      discard_reason: 'a typing mistake',
    })
    expect((await post('/d-1/discard', { reason: 'other' })).json()).toEqual(answer.json())
    expect((await post('/d-1/replay', {})).json()).toMatchObject({ code: 'SB_CONFLICT' })
  })

  test('is refused after a replay, without a reason, and where there is nothing', async () => {
    await offer('send_sms')
    await keep()
    await post('/d-1/replay', {})
    expect((await post('/d-1/discard', { reason: 'x' })).json()).toMatchObject({
      code: 'SB_CONFLICT',
    })
    expect((await post('/d-1/discard', { reason: '' })).json()).toMatchObject({
      errors: [{ path: 'reason' }],
    })
    expect((await post('/d-9/discard', { reason: 'x' })).json()).toMatchObject({ status: 404 })
  })
})

describe('replaying many', () => {
  async function keepMany(count: number, fields: Partial<NewDeadLetter> = {}): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      await keep({ dead_letter_id: `${fields.code ?? 'GATEWAY'}-${index}`, ...fields })
    }
  }

  test('replays the open ones of a group and says how many', async () => {
    await offer('send_sms')
    await keepMany(5)
    await keepMany(2, { code: 'OTHER' })
    await post('/GATEWAY-0/discard', { reason: 'x' })
    const group = { code: 'GATEWAY', handler: 'send_sms', chain_id: 'thanks' }
    expect((await post('/replay', { group })).json()).toEqual({
      replayed: 4,
      failed: 0,
      errors: [],
    })
    expect((await post('/replay', { group })).json()).toEqual({
      replayed: 0,
      failed: 0,
      errors: [],
    })
    await waitFor(() => invocations.length === 4, { what: 'the invocations' })
    expect(await kept('OTHER-0')).toMatchObject({ state: 'open' })
  })

  test('a group that names no handler holds only letters without one', async () => {
    await offer('send_sms')
    await keepMany(1)
    const group = { code: 'GATEWAY' }
    expect((await post('/replay', { group })).json()).toMatchObject({ replayed: 0 })
    const filter = { code: 'GATEWAY' }
    expect((await post('/replay', { filter })).json()).toMatchObject({ replayed: 1 })
  })

  test('works in pages, and says which failed and why', async () => {
    await offer('send_sms')
    await keepMany(3)
    await keep({ dead_letter_id: 'bad', body: { json: { ...RUN, results: {} } as never } })
    const first = (await post('/replay', { all: true, limit: 2 })).json()
    expect(first).toMatchObject({
      replayed: 1,
      failed: 1,
      errors: [{ dead_letter_id: 'bad', code: 'SB_CONFLICT' }],
      next: expect.any(String),
    })
    const second = await post('/replay', { all: true, limit: 2, cursor: first.next })
    expect(second.json()).toEqual({ replayed: 2, failed: 0, errors: [] })
  })

  test.each([
    [{}, ''],
    [{ all: true, filter: {} }, ''],
    [{ all: false }, 'all'],
    [{ filter: { codes: 'x' } }, 'filter.codes'],
    [{ all: true, from: 'middle' }, 'from'],
    [{ all: true, limit: 5_000 }, 'limit'],
  ])('refuses %o and names the fault', async (payload, path) => {
    const answer = await post('/replay', payload)
    expect(answer.json()).toMatchObject({ code: 'SB_INVALID_INPUT', errors: [{ path }] })
  })
})

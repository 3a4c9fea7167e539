import { createTopology, type Death, type Delivery, deadLetterOf } from '@signalbox/broker'
import {
  completeEvent,
  INSTALLATION_ACCOUNT,
  LIMITS,
  type RunContext,
  runContextIn,
} from '@signalbox/contracts'
import { describe, expect, it } from 'vitest'
import { readDeadLetters } from '../src/dead-letter-reading.ts'

const topology = createTopology()
const AT_MS = Date.parse('2026-03-04T05:06:07.000Z')
const EVENT = completeEvent({
  event_id: 'e-1',
  account_key: 'acme',
  conversation_key: 'spring',
  conversation_type: 'poll',
  event_type: 'done',
  event_data: {},
})
const contextOf = (accountKey: string): RunContext => ({
  run_id: `run-of-${accountKey}`,
  event: { ...EVENT, account_key: accountKey },
  results: {},
  chain: {
    chain_id: 'thanks',
    version: 1,
    name: 'Thanks',
    steps: [{ id: 'sms', handler: 'send_sms', config: {}, on_error: 'stop' }],
  },
  step_index: 0,
})
const invocationOf = (accountKey: string) => ({
  invocation_id: `i-${accountKey}`,
  attempt: 1,
  handler: 'send_sms',
  config: {},
  context: contextOf(accountKey),
})

function deliveryOf(body: unknown, death?: Partial<Death>): Delivery {
  return {
    body: Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)),
    exchange: topology.exchange.dead,
    routingKey: 'send_sms',
    redelivered: false,
    deliveryCount: 0,
    isVoid: false,
    properties: { timestampMs: AT_MS },
    death: death && {
      reason: 'delivery_limit',
      queue: topology.queue.dispatcherEvents,
      exchange: topology.exchange.events,
      routingKey: 'poll.done.acme',
      atMs: AT_MS,
      ...death,
    },
  }
}

const read = (body: unknown, death?: Partial<Death>) =>
  readDeadLetters(deliveryOf(body, death), topology)
const handlerQueue = topology.handlerQueue('send_sms').name

describe('a dead letter that a consumer published', () => {
  it('is read as it is, with the kind of event and the run that its body tells of', () => {
    const letter = deadLetterOf(
      {
        exchange: 'signalbox.handlers',
        routingKey: 'send_sms',
        body: Buffer.from(JSON.stringify({ ...contextOf('acme'), replay_of: 'd-0' })),
      },
      { code: 'GATEWAY', message: 'it said 500', about: 'invocation', account_key: 'acme' },
    )
    expect(read(letter)).toEqual([
      {
        ...letter,
        event_id: 'e-1',
        conversation_type: 'poll',
        event_type: 'done',
        run_id: 'run-of-acme',
        chain_id: 'thanks',
        step_id: 'sms',
        handler: 'send_sms',
        replay_of: 'd-0',
      },
    ])
  })

  it.each([
    ['none', undefined],
    ['no name', 'a b'],
    ['empty', ''],
  ])('belongs to the installation when its account is %s', (_what, account_key) => {
    const letter = deadLetterOf(
      { exchange: 'x', routingKey: 'y', body: Buffer.from('{') },
      {
        code: 'SB_INVALID_MESSAGE',
        message: 'not JSON',
        about: 'event',
        ...(account_key === undefined ? {} : { account_key }),
      },
    )
    expect(read(letter)).toMatchObject([
      { account_key: INSTALLATION_ACCOUNT, body: { base64: 'ew==' } },
    ])
  })

  it('gets an identity that can be used when it has none such', () => {
    const letter = deadLetterOf(
      { exchange: 'x', routingKey: 'y', body: Buffer.from('1') },
      { code: 'A', message: 'b', about: 'message' },
    )
    const [first] = read({ ...letter, dead_letter_id: 'with spaces' })
    const [second] = read({ ...letter, dead_letter_id: 'with spaces' })
    expect(first?.dead_letter_id).toMatch(/^[0-9a-f-]{36}$/)
    expect(second?.dead_letter_id).toBe(first?.dead_letter_id)
  })
})

describe('what RabbitMQ moved to the dead queue', () => {
  it('from the queue of events is about its event', () => {
    expect(read(EVENT, {})).toMatchObject([
      {
        code: 'SB_DELIVERY_LIMIT',
        about: 'event',
        at: '2026-03-04T05:06:07.000Z',
        account_key: 'acme',
        event_id: 'e-1',
        event_type: 'done',
        exchange: '',
        routing_key: 'signalbox.dispatcher.events',
        body: { json: EVENT },
      },
    ])
  })

  it('from the queue of a handler is one letter for each invocation, of its own account', () => {
    const letters = read([invocationOf('acme'), invocationOf('beta')], { queue: handlerQueue })
    expect(letters).toMatchObject([
      { about: 'invocation', account_key: 'acme', run_id: 'run-of-acme', step_id: 'sms' },
      { about: 'invocation', account_key: 'beta', run_id: 'run-of-beta', handler: 'send_sms' },
    ])
    expect(letters.map(({ body }) => runContextIn(body)?.run_id)).toEqual([
      'run-of-acme',
      'run-of-beta',
    ])
    expect(new Set(letters.map(({ dead_letter_id }) => dead_letter_id)).size).toBe(2)
  })

  it.each([
    [topology.queue.dispatcherResults, 'result'],
    [topology.queue.edgeRelay, 'event'],
    [topology.relayQueue(3).name, 'event'],
    [topology.workerQueue('survey').name, 'command'],
    ['somebody-elses', 'message'],
  ])('from %s is about a %s', (queue, about) => {
    expect(read({}, { queue })).toMatchObject([{ about, account_key: INSTALLATION_ACCOUNT }])
  })

  it('is the same letter when it is delivered again, and another failure when it died at another time', () => {
    const [first] = read(EVENT, {})
    expect(read(EVENT, {})).toEqual([first])
    const [later] = read(EVENT, { atMs: AT_MS + 60_000 })
    expect(later?.dead_letter_id).toBe(first?.dead_letter_id)
    expect(later?.at).not.toBe(first?.at)
  })

  it('is kept with its beginning when it is too large', () => {
    const body = Buffer.alloc(2 * LIMITS.maxBatchBytes + 1, 'x')
    const [letter] = read(body, { reason: 'rejected' })
    expect(letter).toMatchObject({ code: 'SB_TOO_LARGE', body: { cut_from_bytes: body.length } })
    expect(JSON.stringify(letter).length).toBeLessThan(100_000)
  })
})

describe('whatever else comes to the dead queue', () => {
  it.each([
    ['no JSON', Buffer.from('{')],
    ['no UTF-8', Buffer.from([0xff, 0xfe])],
    ['another thing', { hello: 'world' }],
    ['an array', [1, 2]],
    ['nothing', Buffer.alloc(0)],
    ['too deep', Buffer.from('['.repeat(100_000) + ']'.repeat(100_000))],
  ])('is kept and says that nobody knows why: %s', (_what, body) => {
    const letters = read(body)
    expect(letters).toMatchObject([
      {
        code: 'SB_INVALID_MESSAGE',
        about: 'message',
        account_key: INSTALLATION_ACCOUNT,
        message: expect.stringContaining('is none'),
      },
    ])
    expect(read(body)).toEqual(letters)
  })
})

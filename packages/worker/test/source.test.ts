import {
  type Broker,
  createMemoryBroker,
  createTopology,
  type OutgoingMessage,
} from '@signalbox/broker'
import { silentLog, UnavailableError } from '@signalbox/kit'
import { waitFor } from '@signalbox/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSource } from '../src/index.ts'
import { collectOutcomes, type Outcomes } from './invocations.ts'

let broker: Broker
let outcomes: Outcomes
let events: unknown[]

beforeEach(async () => {
  broker = createMemoryBroker({ topology: createTopology(), log: silentLog })
  outcomes = await collectOutcomes(broker)
  events = []
  await broker.consume(broker.topology.queue.dispatcherEvents, {}, async ({ body }) => {
    events.push(JSON.parse(body.toString()))
    return { kind: 'ack' }
  })
})
afterEach(() => broker.close())

const input = {
  account_key: 'acme',
  conversation_key: 'c',
  conversation_type: 'poll',
  event_type: 'poll_complete',
  event_data: { score: 3 },
}

test('an event is completed, published and given back as it was sent', async () => {
  const event = await createSource({ broker }).publishEvent(input)
  await waitFor(() => events.length === 1, { what: 'the event' })
  expect(events).toEqual([event])
  expect(event).toMatchObject({ ...input, event_id: expect.stringMatching(/^[0-9a-f-]{36}$/) })
})

test('an event that is wrong names its fields and is not published', async () => {
  const wrong = { ...input, account_key: 'no spaces', event_data: [] as never }
  await expect(createSource({ broker }).publishEvent(wrong)).rejects.toMatchObject({
    code: 'SB_INVALID_INPUT',
    details: [{ path: 'account_key' }, { path: 'event_data' }],
  })
  await createSource({ broker }).publishEvent(input)
  await waitFor(() => events.length > 0, { what: 'the proof event' })
  expect(events).toHaveLength(1)
})

test('a broker that is away is tried again with the same event_id, and given up on in the end', async () => {
  const tried: string[] = []
  let failures = 2
  const flaky = {
    ...broker,
    async publish(message: OutgoingMessage) {
      tried.push(message.properties.messageId)
      if (failures-- > 0) throw new UnavailableError('away')
      return broker.publish(message)
    },
  }
  const source = createSource({ broker: flaky })
  const event = await source.publishEvent(input)
  expect(tried).toEqual([event.event_id, event.event_id, event.event_id])

  failures = 1
  await expect(source.publishEvent(input, { patienceMs: 0 })).rejects.toBeInstanceOf(
    UnavailableError,
  )
})

test('a command reaches its worker', async () => {
  const queue = broker.topology.workerQueue('sms')
  await broker.declare(queue)
  const command = await createSource({ broker }).publishCommand({
    worker_name: 'sms',
    command: 'send',
  })
  expect(command).toMatchObject({ worker_name: 'sms', command: 'send', args: [], kwargs: {} })
  const received: unknown[] = []
  await broker.consume(queue.name, {}, async ({ body }) => {
    received.push(JSON.parse(body.toString()))
    return { kind: 'ack' }
  })
  await waitFor(() => received.length === 1, { what: 'the command' })
  expect(received).toEqual([command])
})

test('a command to a worker that never ran is an error and a dead letter', async () => {
  const publish = createSource({ broker }).publishCommand({ worker_name: 'nobody', command: 'x' })
  await expect(publish).rejects.toMatchObject({
    code: 'SB_UNKNOWN_WORKER',
    message: expect.stringContaining('"nobody"'),
  })
  await waitFor(() => outcomes.deadLetters.length === 1, { what: 'the dead letter' })
  expect(outcomes.deadLetters).toMatchObject([
    { code: 'SB_UNKNOWN_WORKER', about: 'command', body: { json: { worker_name: 'nobody' } } },
  ])
})

import {
  completeCommand,
  type HandlerInvocation,
  LIMITS,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { beforeEach, describe, expect, it } from 'vitest'
import { deadLetterOf } from '../src/dead-letter.ts'
import type { OutgoingMessage, PublishOutcome } from '../src/port.ts'
import { createPublisher } from '../src/publisher.ts'
import { relaySlotOf } from '../src/relay-slot.ts'
import { createTopology } from '../src/topology.ts'
import { unreadable } from './fixtures.ts'

const event: VumiApiEvent = {
  event_id: 'e-1',
  account_key: 'demo',
  conversation_type: 'poll',
  event_type: 'poll_complete',
  conversation_key: 'spring',
  event_data: {},
  timestamp: '2026-01-31T09:30:00.000Z',
}
const invocation: HandlerInvocation = {
  invocation_id: 'i-1',
  attempt: 1,
  handler: 'send_sms',
  config: {},
  context: {
    run_id: 'r-1',
    event,
    results: {},
    chain: { chain_id: 'c', version: 1, name: 'C', steps: [] },
    step_index: 0,
  },
}

describe('createPublisher', () => {
  let sent: OutgoingMessage[]
  let outcome: PublishOutcome
  const publisher = createPublisher({
    topology: createTopology(),
    publish: async (message) => {
      sent.push(message)
      return outcome
    },
  })

  beforeEach(() => {
    sent = []
    outcome = 'routed'
  })

  it('sends an event to the events exchange under its kind and account', async () => {
    await publisher.event(event, { traceparent: 't' })
    expect(sent).toEqual([
      {
        exchange: 'signalbox.events',
        routingKey: 'poll.poll_complete.demo',
        body: Buffer.from(JSON.stringify(event)),
        properties: {
          messageId: 'e-1',
          type: 'VumiApiEvent',
          timestampMs: Date.parse(event.timestamp),
          traceparent: 't',
          slot: relaySlotOf(event),
        },
      },
    ])
  })

  it('sends invocations to their handler, with the queue for the results', async () => {
    await publisher.invocations([invocation])
    expect(sent[0]).toMatchObject({
      exchange: 'signalbox.handlers',
      routingKey: 'send_sms',
      properties: { messageId: 'i-1', replyTo: 'signalbox.dispatcher.results' },
    })
    expect(JSON.parse(sent[0]!.body.toString())).toEqual([invocation])
  })

  it('gives a message of one invocation its trace; in a batch each context has its own', async () => {
    const traced = { ...invocation, context: { ...invocation.context, traceparent: 't' } }
    await publisher.invocations([traced])
    await publisher.invocations([traced, invocation])
    expect(sent.map(({ properties }) => properties.traceparent)).toEqual(['t', undefined])
  })

  it('sends a retry to the queue of its delay, from where it comes to its handler as if sent now', async () => {
    await publisher.retry({ ...invocation, attempt: 2 }, 5_000)
    expect(sent[0]).toMatchObject({
      exchange: 'signalbox.retry.5000',
      routingKey: 'send_sms',
      properties: { messageId: 'i-1', replyTo: 'signalbox.dispatcher.results' },
    })
    expect(JSON.parse(sent[0]!.body.toString())).toEqual([{ ...invocation, attempt: 2 }])
    outcome = 'unroutable'
    await expect(publisher.retry(invocation, 5_000)).rejects.toThrow('no queue takes')
  })

  it('sends results to the queue that asked for them', async () => {
    const { invocation_id, attempt, context } = invocation
    const result = { invocation_id, attempt, status: 'succeeded', duration_ms: 1, context } as const
    await publisher.results('answers', [result])
    expect(sent[0]).toMatchObject({ exchange: '', routingKey: 'answers' })
  })

  it('says that nobody offers a handler, or a worker of that name', async () => {
    outcome = 'unroutable'
    const command = completeCommand({ worker_name: 'w', command: 'go' })
    await expect(publisher.invocations([invocation])).resolves.toBe('unroutable')
    await expect(publisher.command(command)).resolves.toBe('unroutable')
    expect(sent[1]).toMatchObject({ exchange: 'signalbox.commands', routingKey: 'w' })
  })

  it('takes an event or a dead letter that no queue takes for not published', async () => {
    outcome = 'unroutable'
    const letter = deadLetterOf(
      { exchange: 'e', routingKey: 'k', body: Buffer.from('') },
      unreadable,
    )
    for (const publishing of [publisher.event(event), publisher.deadLetter(letter)]) {
      await expect(publishing).rejects.toMatchObject({
        code: 'SB_BROKER_UNAVAILABLE',
        retryable: true,
      })
    }
  })

  it('refuses a body that is too large, and sends nothing', async () => {
    const huge = { ...event, event_data: { text: 'x'.repeat(LIMITS.maxMessageBytes) } }
    await expect(publisher.event(huge)).rejects.toMatchObject({ code: 'SB_TOO_LARGE' })
    expect(sent).toEqual([])
  })
})

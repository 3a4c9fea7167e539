/** Dead letters on an api of memory engines, and what tests do with them. */
import {
  type BiographyFact,
  completeEvent,
  type HandlerInvocation,
  type KeptDeadLetter,
  type RunContext,
  runIdOf,
} from '@signalbox/contracts'
import type { NewDeadLetter } from '@signalbox/store'
import { afterEach, beforeEach } from 'vitest'
import { type Fixture, startFixture } from './fixture.ts'

export const AT = '2026-03-04T05:06:07.890Z'
export const EVENT = completeEvent({
  event_id: 'e-1',
  account_key: 'acme',
  conversation_key: 'spring',
  conversation_type: 'poll',
  event_type: 'poll_complete',
  event_data: { name: 'Ann' },
})
export const RUN: RunContext = {
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

export const letterUrl = (path: string, account = 'acme') =>
  `/v1/accounts/${account}/dead-letters${path}`

/** An api for each test of the file; `api` may be replaced. */
export function useDeadLetters() {
  const bench = {
    api: undefined as unknown as Fixture,
    /** What the offered handlers were sent. */
    invocations: [] as HandlerInvocation[],

    async offer(handler: string): Promise<void> {
      const { broker } = bench.api
      const queue = broker.topology.handlerQueue(handler)
      await broker.declare(queue)
      await broker.consume(queue.name, {}, async ({ body }) => {
        bench.invocations.push(...(JSON.parse(body.toString()) as HandlerInvocation[]))
        return { kind: 'ack' }
      })
    },
    keep: (fields: Partial<NewDeadLetter> = {}) =>
      bench.api.store.deadLetters.keep(letterOf(fields)),
    post: (path: string, payload: object, account = 'acme') =>
      bench.api.call({ method: 'POST', url: letterUrl(path, account), payload }),
    kept: async (id = 'd-1', account = 'acme') =>
      (await bench.api.store.deadLetters.get(account, id)) as KeptDeadLetter,
    biography: () => bench.api.store.biographies.get('acme', 'e-1'),
    tell: (...facts: BiographyFact[]) =>
      bench.api.store.biographies.record([{ accountKey: 'acme', eventId: 'e-1', facts }]),

    async tellOfTheDeadRun(): Promise<void> {
      const { run_id } = RUN
      await bench.tell(
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
    },
  }
  beforeEach(async () => {
    bench.invocations = []
    bench.api = await startFixture()
  })
  afterEach(() => bench.api[Symbol.asyncDispose]())
  return bench
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

/** Fixtures: invocations as a dispatcher sends them, and the two queues in which their outcomes arrive. */
import { type Broker, createPublisher } from '@signalbox/broker'
import type { DeadLetter, HandlerInvocation, JsonObject, StepResult } from '@signalbox/contracts'
import { silentLog } from '@signalbox/kit'
import { anEvent } from '../src/testing.ts'

export function anInvocation(
  handler: string,
  config: JsonObject = {},
  overrides: Partial<HandlerInvocation> = {},
): HandlerInvocation {
  const event = anEvent()
  return {
    invocation_id: event.event_id,
    attempt: 1,
    handler,
    config,
    context: {
      run_id: `run-of-${event.event_id}`,
      event,
      results: {},
      chain: {
        chain_id: 'chain',
        version: 1,
        name: 'Chain',
        steps: [{ id: 'step', handler, config, on_error: 'stop' }],
      },
      step_index: 0,
    },
    ...overrides,
  }
}

export const execution = () => ({
  log: silentLog,
  shutdown: new AbortController().signal,
  patienceMs: 0,
})

export interface Outcomes {
  results: StepResult[]
  /** How many messages the results came in. */
  messages: number
  deadLetters: DeadLetter[]
}

/** Consumes the results and the dead letters of a broker from now on. */
export async function collectOutcomes(broker: Broker): Promise<Outcomes> {
  const outcomes: Outcomes = { results: [], messages: 0, deadLetters: [] }
  const { dispatcherResults, dead } = broker.topology.queue
  await broker.consume(dispatcherResults, {}, async ({ body }) => {
    outcomes.results.push(...(JSON.parse(body.toString()) as StepResult[]))
    outcomes.messages += 1
    return { kind: 'ack' }
  })
  await broker.consume(dead, {}, async ({ body }) => {
    outcomes.deadLetters.push(JSON.parse(body.toString()) as DeadLetter)
    return { kind: 'ack' }
  })
  return outcomes
}

export function send(broker: Broker, ...batch: [HandlerInvocation, ...HandlerInvocation[]]) {
  return createPublisher(broker).invocations(batch)
}

/** Puts a body into a handler's queue as it is. */
export function sendRaw(broker: Broker, handler: string, body: string) {
  return broker.publish({
    exchange: broker.topology.exchange.handlers,
    routingKey: handler,
    body: Buffer.from(body),
    properties: { messageId: 'raw', type: 'HandlerInvocation' },
  })
}

import type { Broker } from '@signalbox/broker'
import { waitFor } from '@signalbox/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { type Bench, startBench } from './fixtures.ts'

let bench: Bench
afterEach(() => bench[Symbol.asyncDispose]())

/** More than the dispatcher may have in hand. */
const FLOOD = 1_500

/** Takes what is sent to the handler's queue, and confirms none of it until the gate opens. */
function withholdConfirms(broker: Broker, handler: string): () => void {
  const gate = Promise.withResolvers<void>()
  const publish = broker.publish.bind(broker)
  broker.publish = async (message, options) => {
    const isStuck =
      message.exchange === broker.topology.exchange.handlers && message.routingKey === handler
    if (isStuck) await gate.promise
    return publish(message, options)
  }
  return () => gate.resolve()
}

describe('a handler whose queue confirms nothing', () => {
  it('holds up no other though more waits for it than may be in hand, and loses nothing', async () => {
    bench = await startBench()
    await bench.offer('stuck')
    await bench.offer('quick')
    await bench.putChain('stuck', { steps: [{ id: 'a', handler: 'stuck' }] })
    await bench.putChain('quick', {
      trigger: { conversation_type: 'poll', event_type: 'quick' },
      steps: [
        { id: 'a', handler: 'quick' },
        { id: 'b', handler: 'quick' },
      ],
    })
    const open = withholdConfirms(bench.broker, 'stuck')

    for (let count = 0; count < FLOOD; count += 1) await bench.publish()
    const event = await bench.publish({ event_type: 'quick' })
    await bench.biography(event.event_id, 'succeeded')
    expect(bench.readiness.report().reasons).toEqual({
      lanes: expect.stringContaining('the queue of handler "stuck"') as string,
    })

    open()
    const handled = () => bench.invocations.filter(({ handler }) => handler === 'stuck')
    await waitFor(() => handled().length === FLOOD, {
      what: 'all that was sent to the stuck queue, and parked',
      timeoutMs: 15_000,
    })
    expect(new Set(handled().map(({ invocation_id }) => invocation_id)).size).toBe(FLOOD)
    await waitFor(() => bench.readiness.report().ready, { what: 'the dispatcher to be ready' })
  })
})

import type { HandlerInvocation } from '@signalbox/contracts'
import { waitFor } from '@signalbox/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { type Bench, startBench } from './fixtures.ts'

let bench: Bench
const gate = Promise.withResolvers<void>()
afterEach(async () => {
  gate.resolve()
  await bench[Symbol.asyncDispose]()
})

/** More than the dispatcher may have in hand. */
const FLOOD = 1_500

describe('a handler that hangs', () => {
  it('holds up no other: what it has waits in its queue, one invocation to a message', async () => {
    bench = await startBench()
    const queue = bench.broker.topology.handlerQueue('hangs')
    await bench.broker.declare(queue)
    const batches: HandlerInvocation[][] = []
    await bench.broker.consume(queue.name, { prefetch: 2 * FLOOD }, async ({ body }) => {
      batches.push(JSON.parse(body.toString()) as HandlerInvocation[])
      await gate.promise
      return { kind: 'ack' }
    })
    await bench.offer('quick')
    await bench.putChain('hangs', { steps: [{ id: 'a', handler: 'hangs' }] })
    await bench.putChain('quick', {
      trigger: { conversation_type: 'poll', event_type: 'quick' },
      steps: [
        { id: 'a', handler: 'quick' },
        { id: 'b', handler: 'quick' },
      ],
    })

    for (let count = 0; count < FLOOD; count += 1) await bench.publish()
    const event = await bench.publish({ event_type: 'quick' })
    await bench.biography(event.event_id, 'succeeded')

    await waitFor(() => batches.length === FLOOD, { what: 'every invocation of the other' })
    expect(new Set(batches.map(({ length }) => length))).toEqual(new Set([1]))
  })
})

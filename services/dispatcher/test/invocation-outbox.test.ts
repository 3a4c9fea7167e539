import type { HandlerInvocation } from '@signalbox/contracts'
import { completeEvent } from '@signalbox/contracts'
import { describe, expect, it } from 'vitest'
import { createInvocationOutbox } from '../src/invocation-outbox.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

function openOutbox() {
  const batches: { handler: string; size: number }[] = []
  const outbox = createInvocationOutbox({
    publisher: {
      invocations: async (batch) => {
        batches.push({ handler: batch[0].handler, size: batch.length })
        return 'routed'
      },
    },
  })
  return {
    outbox,
    /** The sizes of the messages in which so many invocations leave. */
    async sizes(handler: string, count: number) {
      batches.splice(0)
      for (let index = 0; index < count; index += 1) void outbox.send(anInvocation(handler))
      await turn()
      return batches.map(({ size }) => size)
    },
  }
}

function anInvocation(handler: string): HandlerInvocation {
  const event = completeEvent({
    account_key: 'acme',
    conversation_key: 'c',
    conversation_type: 'poll',
    event_type: 'done',
    event_data: {},
  })
  const chain = { chain_id: 'c', version: 1, name: 'c', steps: [] }
  return {
    invocation_id: event.event_id,
    attempt: 1,
    handler,
    config: {},
    context: { run_id: 'r', event, results: {}, chain, step_index: 0 },
  }
}

describe('the invocation outbox', () => {
  it('sends a handler of which nothing is known yet one at a time', async () => {
    const { sizes } = openOutbox()
    expect(await sizes('new', 3)).toEqual([1, 1, 1])
  })

  it.each([
    [0, [64, 6]],
    [0.5, [64, 6]],
    [2, [25, 25, 20]],
    [24, Array.from({ length: 35 }, () => 2)],
    [60, Array.from({ length: 70 }, () => 1)],
  ])('sends a handler that takes %f ms batches of %j', async (durationMs, expected) => {
    const { outbox, sizes } = openOutbox()
    outbox.observe('it', durationMs)
    expect(await sizes('it', 70)).toEqual(expected)
  })

  it('gives a fast handler that hangs once batches of one, until it is fast again', async () => {
    const { outbox, sizes } = openOutbox()
    outbox.observe('it', 1)
    outbox.observe('it', 10_000)
    expect(await sizes('it', 2)).toEqual([1, 1])
    for (let count = 0; count < 50; count += 1) outbox.observe('it', 1)
    expect(await sizes('it', 2)).toEqual([2])
  })

  it('keeps the handlers apart', async () => {
    const { outbox, sizes } = openOutbox()
    outbox.observe('slow', 10_000)
    outbox.observe('fast', 1)
    expect(await sizes('slow', 2)).toEqual([1, 1])
    expect(await sizes('fast', 2)).toEqual([2])
  })
})

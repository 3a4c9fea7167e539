import { createTopology, type PublishOutcome, type QueueSpec } from '@signalbox/broker'
import type { HandlerInvocation } from '@signalbox/contracts'
import { createMemoryStore } from '@signalbox/store'
import { expect, it } from 'vitest'
import { reachingKnownHandlers } from '../src/known-handlers.ts'

const topology = createTopology()
const invocation = { handler: 'greet' } as HandlerInvocation

/** Queues are those that were declared; nothing else takes an invocation. */
async function bench({ isKnown, isLost = false }: { isKnown: boolean; isLost?: boolean }) {
  await using store = createMemoryStore()
  if (isKnown) {
    await store.catalog.register(
      { name: 'greet', description: '', config_schema: {}, fires: [] },
      { workerId: 'worker', ttlMs: 60_000 },
    )
  }
  const queues = new Set<string>()
  let published = 0
  const { invocations } = reachingKnownHandlers({
    publisher: {
      async invocations([{ handler }]): Promise<PublishOutcome> {
        published += 1
        return queues.has(topology.handlerQueue(handler).name) ? 'routed' : 'unroutable'
      },
    },
    broker: {
      topology,
      async declare({ name }: QueueSpec) {
        if (!isLost) queues.add(name)
      },
    },
    catalog: store.catalog,
  })
  return { outcome: await invocations([invocation]), queues, published }
}

it('a queue of a known handler that was deleted is declared again, and takes the invocation', async () => {
  expect(await bench({ isKnown: true })).toEqual({
    outcome: 'routed',
    queues: new Set(['signalbox.handler.greet']),
    published: 2,
  })
})

it('no queue is declared for a handler that nobody ever offered', async () => {
  expect(await bench({ isKnown: false })).toEqual({
    outcome: 'unroutable',
    queues: new Set(),
    published: 1,
  })
})

it('an invocation of a known handler whose queue is not back yet is tried again later', async () => {
  await expect(bench({ isKnown: true, isLost: true })).rejects.toMatchObject({
    code: 'SB_BROKER_UNAVAILABLE',
    retryable: true,
  })
})

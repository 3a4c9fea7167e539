import type { Biography } from '@signalbox/contracts'
import { expect, test } from 'vitest'
import { explainUnhandled } from '../../src/loadtest/unhandled.ts'
import { createWorkload } from '../../src/loadtest/workload.ts'

const workload = createWorkload({
  runId: 'r',
  accounts: 1,
  conversations: 1,
  subscribers: 0,
  chainLength: 1,
  handlerMs: 0,
  payloadBytes: 0,
})

test('what the store knows decides: unmatched, dead-lettered, or lost when it is pending or unknown', async () => {
  const outcomes = ['unmatched', 'dead_lettered', 'pending', undefined] as const
  const get = async (_accountKey: string, eventId: string): Promise<Biography | undefined> => {
    const outcome = outcomes[Number(eventId.split('-').at(-1))]
    if (outcome === undefined) return undefined
    const event = workload.eventOf(0, 0)
    return { event, received_at: event.timestamp, outcome, runs: [], not_matched: [] }
  }
  await expect(explainUnhandled([0, 1, 2, 3], { workload, biographies: { get } })).resolves.toEqual(
    {
      unmatched: 1,
      deadLettered: 1,
      lost: 2,
      examples: ['loadtest-r-2 (pending)', 'loadtest-r-3 (nothing known)'],
    },
  )
})

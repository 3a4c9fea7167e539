import { createMetrics, silentLog, UnavailableError } from '@signalbox/kit'
import type { BiographyEntry } from '@signalbox/store'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createEdgeMetrics } from '../src/metrics.ts'
import { startShowings } from '../src/showings.ts'

function openShowings() {
  const registry = createMetrics({ withProcessMetrics: false })
  const recorded: BiographyEntry[][] = []
  const store = { isAway: false }
  const showings = startShowings(
    { edgeId: 'edge-1' },
    {
      biographies: {
        async record(entries) {
          if (store.isAway) throw new UnavailableError('away')
          recorded.push([...entries])
        },
      },
      log: silentLog,
      metrics: createEdgeMetrics(registry, new Map()),
    },
  )
  return {
    ...showings,
    recorded,
    store,
    async unrecorded(): Promise<number> {
      const text = await registry.metrics()
      return Number(/^signalbox_edge_showings_unrecorded_total (\d+)/m.exec(text)?.[1])
    },
    /** What was recorded, in short. */
    told: () =>
      recorded.map((entries) =>
        entries.map(({ accountKey, eventId, facts: [fact] }) =>
          fact?.fact === 'shown' ? `${accountKey} ${eventId} ${fact.edge} ${fact.sockets}` : '',
        ),
      ),
  }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('showings', () => {
  it('are recorded once a second, an event by how many sockets it reached, accounts apart', async () => {
    const { note, told } = openShowings()
    for (const event of ['e1', 'e2', 'e1', 'e1']) note({ accountKey: 'a', eventId: event })
    note({ accountKey: 'b', eventId: 'e1' })
    expect(told()).toEqual([])
    await vi.advanceTimersByTimeAsync(1_000)
    expect(told()).toEqual([['a e1 edge-1 3', 'a e2 edge-1 1', 'b e1 edge-1 1']])
    note({ accountKey: 'a', eventId: 'e1' })
    await vi.advanceTimersByTimeAsync(2_000)
    expect(told().slice(1)).toEqual([['a e1 edge-1 1']])
  })

  it('wait while the store is away, up to a bound, and what is beyond it is counted', async () => {
    const { note, recorded, store, unrecorded } = openShowings()
    store.isAway = true
    note({ accountKey: 'a', eventId: 'first' })
    await vi.advanceTimersByTimeAsync(1_000)
    for (let event = 0; event < 10_005; event++) note({ accountKey: 'a', eventId: `e${event}` })
    note({ accountKey: 'a', eventId: 'e0' })
    expect(await unrecorded()).toBe(5)
    store.isAway = false
    await vi.advanceTimersByTimeAsync(60_000)
    expect(recorded.flat()).toHaveLength(10_001)
    expect(Math.max(...recorded.map(({ length }) => length))).toBe(500)
  })

  it('give an event ten facts and no more, however often it is shown again', async () => {
    const { note, recorded } = openShowings()
    for (let second = 0; second < 15; second++) {
      note({ accountKey: 'a', eventId: 'e1' })
      await vi.advanceTimersByTimeAsync(1_000)
    }
    expect(recorded.flat()).toHaveLength(10)
  })

  it('are recorded at the end, or given up at once when the store is away', async () => {
    const polite = openShowings()
    polite.note({ accountKey: 'a', eventId: 'e1' })
    await polite[Symbol.asyncDispose]()
    expect(polite.told()).toEqual([['a e1 edge-1 1']])

    const cut = openShowings()
    cut.store.isAway = true
    cut.note({ accountKey: 'a', eventId: 'e1' })
    await cut[Symbol.asyncDispose]()
    expect(await cut.unrecorded()).toBe(1)
  })
})

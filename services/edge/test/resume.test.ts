import type { Channel } from '@signalbox/store'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChannelModel, ModelClient, ModelEdge, TOPICS } from './edge-model.ts'

const EDGES = 2
const CLIENTS = 3

const edge = fc.nat(EDGES - 1)
const client = fc.nat(CLIENTS - 1)
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      topic: fc.constantFrom(...TOPICS),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('connect' as const),
      client,
      edge,
      snapshot: fc.boolean(),
      isCongested: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('disconnect' as const), client }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('repeat' as const),
      client,
      snapshot: fc.boolean(),
      withSince: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), edge }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), edge }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('mend' as const), edge }) },
)
const script = fc.array(fc.record({ step, turns: fc.nat(6) }), { minLength: 5, maxLength: 60 })
type Script = typeof script extends fc.Arbitrary<infer Value> ? Value : never

/** Plays it, not waiting for anything but so many turns of the microtask queue, and lets everybody catch up at the end. */
async function play(kind: Channel['kind'], steps: Script): Promise<ModelClient[]> {
  const model = new ChannelModel(kind)
  const edges = Array.from({ length: EDGES }, () => new ModelEdge(model))
  const clients = Array.from(
    { length: CLIENTS },
    (_, index) => new ModelClient(model, TOPICS[index % TOPICS.length]!),
  )
  const underWay: Promise<void>[] = []
  const perform = ({ step }: Script[number]) => {
    switch (step.kind) {
      case 'append':
        for (let left = step.count; left > 0; left--) underWay.push(model.append(step.topic))
        break
      case 'connect':
        clients[step.client]!.connect(edges[step.edge]!, step)
        break
      case 'disconnect':
        clients[step.client]!.disconnect()
        break
      case 'repeat': {
        const { cursor } = clients[step.client]!
        clients[step.client]!.subscribe({
          resume: true,
          snapshot: step.snapshot,
          ...(step.withSince && cursor ? { since: cursor } : {}),
        })
        break
      }
      case 'restart':
        underWay.push(edges[step.edge]!.restart())
        break
      case 'forget':
        underWay.push(model.forget())
        break
      case 'cut':
        edges[step.edge]!.cut()
        break
      case 'mend':
        edges[step.edge]!.mend()
        break
    }
  }
  for (const each of steps) {
    perform(each)
    for (let turn = 0; turn < each.turns; turn++) await Promise.resolve()
  }
  await Promise.all(underWay)
  for (const one of edges) one.mend()
  for (const one of clients) if (!one.isConnected) one.connect(edges[0]!)
  for (const topic of TOPICS) await model.append(topic)
  for (const one of clients) await one.settle()
  for (const one of edges) await one.close()
  for (const one of clients) one.check()
  return clients
}

describe.each(['person', 'account'] as const)("a client of a channel of a %s's", (kind) => {
  it('sees every message once and in order, or is told of the hole, whatever happens', async () => {
    const outcomes = { recovered: 0, lost: 0, gaps: 0, seen: 0 }
    await fc.assert(
      fc.asyncProperty(script, async (steps) => {
        for (const { recovered, lost, gaps, seen } of await play(kind, steps)) {
          outcomes.recovered += recovered
          outcomes.lost += lost
          outcomes.gaps += gaps
          outcomes.seen += seen.length
        }
      }),
      { numRuns: 250 },
    )
    // n.b. a property that never met these cases would prove nothing.
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(10)
  })
})

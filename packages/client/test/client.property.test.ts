/** What consumers are told is what happened, whatever the network and the edges do. */
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { type Client, connect, type StateChangeItem, type Subscription } from '../src/index.ts'
import { P1, useBed } from './bed.ts'
import { createModel, type Model } from './model.ts'

useBed()

/** What one consumer was told, in order: a change's id, a snapshot, a gap. */
interface Consumer {
  told: (number | 'gap' | 'snapshot')[]
  /** Changes there were when it was told that it is live. */
  liveAt?: number
  subscription: Subscription<StateChangeItem>
}

interface World {
  model: Model
  client: Client
  /** All there were; the first two at most are subscribed. */
  consumers: Consumer[]
  subscribed: Consumer[]
}

type Step = (world: World) => unknown

const letTimePass =
  (ms: number): Step =>
  () =>
    vi.advanceTimersByTimeAsync(ms)

/** The socket is opened and asked; all but the last frames reach the client. */
const flow =
  (kept: number): Step =>
  async ({ model }) => {
    await vi.advanceTimersByTimeAsync(2_000)
    model.open()
    for (let n = 0; n < 4; n += 1) model.serve()
    const coming = model.sockets.at(-1)?.toClient.length ?? 0
    for (let n = kept; n < coming; n += 1) model.deliver()
  }

const step = fc.oneof(
  { weight: 6, arbitrary: fc.nat(3).map(flow) },
  { weight: 6, arbitrary: fc.constant<Step>(({ model }) => model.publish()) },
  { weight: 6, arbitrary: fc.constant<Step>(({ model }) => model.serve()) },
  { weight: 8, arbitrary: fc.constant<Step>(({ model }) => model.deliver()) },
  { weight: 4, arbitrary: fc.constant<Step>(({ model }) => model.open()) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(1001, 1006, 1011, 4001, 4008).map(
      (code): Step =>
        ({ model }) =>
          model.cut(code),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Step>(({ model }) => model.refuse()) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 20_000 }).map(letTimePass) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 0, max: 3 }).map(
      (keep): Step =>
        ({ model }) =>
          model.trim(keep),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Step>(({ model }) => model.forget()) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 3 }).map(
      (requests): Step =>
        ({ model }) =>
          model.trouble(requests),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.boolean().map(
      (snapshot): Step =>
        (world) => {
          if (world.subscribed.length < 3) join(world, snapshot)
        },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.nat(2).map(
      (n): Step =>
        ({ subscribed }) => {
          for (const gone of subscribed.splice(n, 1)) gone.subscription.unsubscribe()
        },
    ),
  },
)

function join({ client, model, consumers, subscribed }: World, snapshot: boolean): void {
  const told: Consumer['told'] = []
  const subscription = client.subscribeStateChange(P1, {
    snapshot,
    onChange: ({ id }) => told.push(Number(id)),
    onGap: () => told.push('gap'),
    onSnapshot: () => told.push('snapshot'),
  })
  const consumer: Consumer = { told, subscription }
  subscription.live().then(
    () => {
      consumer.liveAt = model.published.length
    },
    () => undefined,
  )
  consumers.push(consumer)
  subscribed.push(consumer)
}

/** No hole without a gap, no gap without a reason, nothing twice, in order. */
function check({ told, liveAt }: Consumer, { forgotten, published }: Model): void {
  let last: number | undefined
  let isGap = false
  for (const item of told) {
    if (typeof item !== 'number') {
      isGap ||= item === 'gap'
      continue
    }
    if (last === undefined) {
      if (!isGap) expect(item).toBeLessThanOrEqual(liveAt ?? published.length)
    } else {
      const previous = last
      expect(item).toBeGreaterThan(previous)
      const isHole = item > previous + 1
      const isForgotten = forgotten.some((count) => count > previous && count <= item)
      if (isHole) expect(isGap).toBe(true)
      if (isGap) expect(isHole || isForgotten).toBe(true)
    }
    last = item
    isGap = false
  }
}

async function settle(world: World): Promise<void> {
  const { model } = world
  model.trouble(0)
  for (let turn = 0; turn < 200; turn += 1) {
    await vi.advanceTimersByTimeAsync(2_000)
    model.open()
    for (let n = 0; n < 8; n += 1) model.serve()
    for (let n = 0; n < 60; n += 1) model.deliver()
    await vi.advanceTimersByTimeAsync(0)
    const socket = model.sockets.at(-1)
    const isQuiet = socket?.isOpen && !socket.isCut && socket.untaken + socket.toClient.length === 0
    const isLive = world.subscribed.every(({ liveAt }) => liveAt !== undefined)
    if (isQuiet && isLive && (socket.subscription || world.subscribed.length === 0)) return
  }
  throw new Error('the world did not settle')
}

test('no gap is told wrongly or kept back, nothing comes twice, and the order holds', async () => {
  let gaps = 0
  let resumed = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 150, size: 'max' }),
      async (steps) => {
        const model = createModel()
        const client = connect({
          url: ['ws://one.example', 'ws://two.example'],
          token: () => 'a-token',
          webSocket: model.webSocket,
          heartbeatMs: 0,
        })
        const world: World = { model, client, consumers: [], subscribed: [] }
        join(world, false)
        try {
          await vi.advanceTimersByTimeAsync(0)
          for (const take of steps) await take(world)
          await settle(world)
          model.publish()
          await settle(world)
          for (const consumer of world.consumers) check(consumer, model)
          for (const { told } of world.subscribed) {
            expect(told.at(-1)).toBe(model.published.length - 1)
          }
          gaps += world.consumers
            .flatMap(({ told }) => told)
            .filter((item) => item === 'gap').length
          resumed += model.sockets
            .flatMap(({ sent }) => sent)
            .filter(({ data }) => data.since).length
        } finally {
          void client.close()
          await vi.advanceTimersByTimeAsync(2_000)
        }
      },
    ),
    { numRuns: 200 },
  )
  // The property would hold of a client that is never asked.
  expect(gaps).toBeGreaterThan(200)
  expect(resumed).toBeGreaterThan(500)
}, 60_000)

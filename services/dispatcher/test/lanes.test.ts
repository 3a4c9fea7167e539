import {
  createTopology,
  type PublishOutcome,
  RefusedError,
  UnconfirmedError,
} from '@signalbox/broker'
import type { HandlerInvocation } from '@signalbox/contracts'
import { createMetrics, silentLog, UnavailableError } from '@signalbox/kit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLanes, type Lanes } from '../src/lanes.ts'
import { createDispatcherMetrics } from '../src/metrics.ts'

const PUBLISH_TIMEOUT_MS = 10_000
const topology = createTopology()

interface Sent {
  id: string
  answer(outcome: PublishOutcome | Error): void
}

/** Queues of handlers answer by hand; whatever else is asked of the broker is answered while it is well. */
class FakeBroker {
  readonly topology = topology
  isWell = true
  readonly sent: Sent[] = []
  readonly parked: HandlerInvocation[] = []
  readonly held: string[] = []

  declare = (): Promise<void> => this.#turn()
  publish = (): Promise<PublishOutcome> => this.#turn().then(() => 'unroutable')

  readonly publisher = {
    parked: async (batch: readonly HandlerInvocation[]) => {
      await this.#turn()
      this.parked.push(...batch)
    },
    invocations: ([{ invocation_id: id }]: readonly [HandlerInvocation, ...unknown[]]) => {
      const { promise, resolve, reject } = Promise.withResolvers<PublishOutcome>()
      const late = Promise.withResolvers<PublishOutcome>()
      late.promise.catch(() => undefined)
      const expire = () => reject(new UnconfirmedError('not confirmed', late.promise))
      const timer = setTimeout(expire, PUBLISH_TIMEOUT_MS)
      const answer = (outcome: PublishOutcome | Error) => {
        clearTimeout(timer)
        for (const each of [{ resolve, reject }, late]) {
          if (outcome instanceof Error) each.reject(outcome)
          else each.resolve(outcome)
        }
      }
      this.sent.push({ id, answer })
      return promise
    },
  }

  async #turn(): Promise<void> {
    if (!this.isWell) await new Promise(() => undefined)
  }
}

let broker: FakeBroker
let lanes: Lanes

beforeEach(() => {
  vi.useFakeTimers()
  broker = new FakeBroker()
  lanes = createLanes({
    publisher: broker.publisher,
    broker,
    metrics: createDispatcherMetrics(createMetrics({ withProcessMetrics: false })),
    log: silentLog,
    onHeld: (handler) => broker.held.push(handler),
  })
})
afterEach(() => {
  lanes[Symbol.dispose]()
  vi.useRealTimers()
})

function send(id: string, handler = 'stuck'): Promise<PublishOutcome> {
  const outcome = lanes.invocations([{ invocation_id: id, handler } as HandlerInvocation])
  outcome.catch(() => undefined)
  return outcome
}

const parkedIds = () => broker.parked.map(({ invocation_id }) => invocation_id)
const sentIds = () => broker.sent.map(({ id }) => id)
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

describe('a lane whose queue does not confirm', () => {
  it('is held after a second, while the broker answers otherwise, and parks what comes then', async () => {
    void send('a')
    await pass(990)
    expect(lanes.reason()).toBeUndefined()
    await pass(20)
    expect(lanes.reason()).toBe('the queue of handler "stuck" has taken nothing for 2 s')
    expect(broker.held).toEqual(['stuck'])
    await expect(send('b')).resolves.toBe('routed')
    expect(parkedIds()).toEqual(['b'])
    expect(sentIds()).toEqual(['a'])
  })

  it('is none of the others: they go their way', async () => {
    void send('a')
    await pass(1_100)
    void send('b', 'sound')
    expect(sentIds()).toEqual(['a', 'b'])
  })

  it('does not count as one while the broker answers nothing at all', async () => {
    broker.isWell = false
    const first = send('a')
    await pass(PUBLISH_TIMEOUT_MS)
    await expect(first).rejects.toBeInstanceOf(UnconfirmedError)
    expect(lanes.reason()).toBeUndefined()
    expect(parkedIds()).toEqual([])
  })

  it('parks what may have been taken as a repeat, when the publish has timed out', async () => {
    const first = send('a')
    await pass(PUBLISH_TIMEOUT_MS - 1)
    expect(parkedIds()).toEqual([])
    await pass(1)
    await expect(first).resolves.toBe('routed')
    expect(broker.parked).toMatchObject([{ invocation_id: 'a', repeat: true }])
  })

  it('flows again when the queue confirms, however late', async () => {
    void send('a')
    await pass(60_000)
    void send('b')
    await pass(0)
    expect(parkedIds()).toEqual(['a', 'b'])
    broker.sent[0]!.answer('routed')
    await pass(0)
    expect(lanes.reason()).toBeUndefined()
    void send('c')
    expect(sentIds()).toEqual(['a', 'c'])
  })

  it('is tried with one message when the AMQP channel is lost, and flows again when that is taken', async () => {
    const first = send('a')
    await pass(2_000)
    broker.sent[0]!.answer(new UnavailableError('the channel was closed'))
    await expect(first).rejects.toThrow('the channel was closed')
    void send('b')
    await pass(1_000)
    void send('c')
    void send('d')
    await pass(0)
    expect(sentIds()).toEqual(['a', 'c'])
    expect(parkedIds()).toEqual(['b', 'd'])
    broker.sent[1]!.answer('routed')
    await pass(0)
    expect(lanes.reason()).toBeUndefined()
  })

  it('is not what is slow: a confirm within the second changes nothing', async () => {
    for (let count = 0; count < 10; count += 1) {
      void send(`${count}`)
      await pass(900)
      broker.sent[count]!.answer('routed')
      await pass(0)
    }
    expect(lanes.reason()).toBeUndefined()
    expect(broker.sent).toHaveLength(10)
  })
})

describe('a lane whose queue refuses', () => {
  const refusal = new RefusedError('it refuses messages')

  it('is held at once: what was refused is parked, as it was', async () => {
    const first = send('a')
    broker.sent[0]!.answer(refusal)
    await expect(first).resolves.toBe('routed')
    await send('b')
    expect(broker.parked).toEqual([
      { invocation_id: 'a', handler: 'stuck' },
      { invocation_id: 'b', handler: 'stuck' },
    ])
    expect(lanes.reason()).toContain('the queue of handler "stuck" has taken nothing')
  })

  it('is tried with one message now and then, ever more rarely, and flows again when that is taken', async () => {
    void send('0')
    for (let tries = 1; tries <= 8; tries += 1) {
      broker.sent.at(-1)!.answer(refusal)
      await pass(499)
      void send(`early ${tries}`)
      await pass(30_000)
      void send(`${tries}`)
      void send(`beside ${tries}`)
      await pass(0)
    }
    expect(sentIds()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8'])
    broker.sent.at(-1)!.answer('routed')
    await pass(0)
    expect(lanes.reason()).toBeUndefined()
    void send('on')
    expect(sentIds().at(-1)).toBe('on')
  })
})

it('readiness names five lanes, and counts the rest', async () => {
  for (const handler of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) void send('1', handler)
  await pass(1_100)
  expect(lanes.reason()).toMatch(/handler "a".*handler "e".*; 2 more$/)
})

it('a publish that fails because the parking fails is the trouble of the whole broker', async () => {
  void send('a')
  await pass(1_100)
  broker.publisher.parked = () => Promise.reject(new UnavailableError('the broker is away'))
  await expect(send('b')).rejects.toThrow('the broker is away')
})

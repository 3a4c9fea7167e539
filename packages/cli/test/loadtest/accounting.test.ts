import { invocationIdOf, runIdOf } from '@signalbox/contracts'
import { beforeEach, expect, test } from 'vitest'
import { createAccounting } from '../../src/loadtest/accounting.ts'
import { CHAIN_ID, createWorkload, type Workload } from '../../src/loadtest/workload.ts'

const START_MS = 1_000_000
const RATE = 10

let workload: Workload
let era: number
let accounting: ReturnType<typeof createAccounting>

beforeEach(() => {
  workload = createWorkload({
    runId: 'r',
    accounts: 2,
    conversations: 4,
    subscribers: 2,
    chainLength: 2,
    handlerMs: 0,
    payloadBytes: 0,
  })
  era = 1
  accounting = createAccounting(
    { events: 8, rate: RATE, lateMs: 500 },
    { workload, eraOf: () => era, onSeen: () => undefined },
  )
  accounting.begin(START_MS)
})

/** The time at which an event arrives that takes `latencyMs`. */
const after = (index: number, latencyMs: number) => START_MS + (index * 1_000) / RATE + latencyMs

function confirm(...indexes: number[]): void {
  for (const index of indexes) {
    accounting.sent(index)
    accounting.confirmed(index, after(index, 5))
  }
}

function execute(index: number, step: number, latencyMs = 20): void {
  const runId = runIdOf(workload.accountKeyOf(index), workload.eventIdOf(index), CHAIN_ID)
  const invocationId = invocationIdOf(runId, `step-${step}`)
  accounting.executed({ index, step, invocationId, atMs: after(index, latencyMs) })
}

test('a confirmed event is handled when its last step was executed', () => {
  confirm(0, 1)
  execute(0, 0)
  execute(0, 1)
  execute(1, 0)
  expect(accounting.notHandled()).toEqual([1])
  expect(accounting.totals().handled).toEqual({ arrived: 1, repeated: 0, reordered: 0, late: 0 })
})

test('an event that was not confirmed is not missing, and is told apart when it arrives', () => {
  accounting.sent(0)
  accounting.unconfirmed(0)
  accounting.sent(1)
  accounting.unconfirmed(1)
  execute(1, 1)
  expect(accounting.notHandled()).toEqual([])
  expect(accounting.totals()).toMatchObject({ sent: 2, unconfirmed: 2, unconfirmedHandled: 1 })
  expect(accounting.pending).toBe(0)
})

test('an execution under the same identity is a repetition at any step; one under another is a stranger', () => {
  confirm(0)
  execute(0, 0)
  execute(0, 0)
  execute(0, 1)
  execute(0, 1)
  accounting.executed({ index: 0, step: 1, invocationId: 'of-a-second-run', atMs: after(0, 20) })
  accounting.executed({ index: 0, step: 7, invocationId: 'of-no-step', atMs: after(0, 20) })
  expect(accounting.totals()).toMatchObject({ handled: { arrived: 1, repeated: 2 }, strangers: 2 })
})

test('a frame counts for the subscriber who watches the person, for others it is a stranger', () => {
  confirm(0, 1)
  const owner = workload.subscriberOf(0, 0)!
  accounting.shown(0, owner, 1, after(0, 600))
  accounting.shown(1, owner, 1, after(1, 5))
  expect(accounting.totals()).toMatchObject({ shown: { arrived: 1, late: 1 }, strangers: 1 })
  expect(accounting.notShown()).toEqual({ lost: [1], missed: [] })
})

test('a frame that did not come while the socket was away was missed', () => {
  confirm(0)
  era = 2
  expect(accounting.notShown()).toEqual({ lost: [], missed: [0] })
})

test('latency counts from the time at which the event was due', () => {
  confirm(3)
  execute(3, 1, 40)
  expect(accounting.latency.handled.summary()?.max).toBeCloseTo(40, 0)
  expect(accounting.latency.confirmed.summary()?.max).toBeCloseTo(5, 0)
  expect(accounting.seconds()[0]).toMatchObject({ counts: { confirmed: 1, handled: 1, shown: 0 } })
})

/**
 * The books of a run: what was sent, what was confirmed, and what became of each event on each of its ways. Everything that
 * is counted is counted here, from what the publisher, the counting workers and the subscribers tell.
 */

import type { Execution } from './execution-report.ts'
import { createLatency } from './latency.ts'
import { createLedger, type Missing } from './ledger.ts'
import { dueMs } from './pacing.ts'
import { createTimeline } from './timeline.ts'
import type { Workload } from './workload.ts'

const SENT = 1
const CONFIRMED = 2
const UNCONFIRMED = 3

export interface AccountingOptions {
  events: number
  rate: number
  /** What takes longer is late. */
  lateMs: number
}

export interface AccountingDeps {
  workload: Workload
  /** The era of a subscriber now. */
  eraOf(subscriber: number): number
  /** An event was handled, or shown to a subscriber, for the first time. */
  onSeen(name: 'handled' | 'shown', atMs: number): void
}

export type Accounting = ReturnType<typeof createAccounting>

export function createAccounting(options: AccountingOptions, deps: AccountingDeps) {
  const { events, rate, lateMs } = options
  const { workload, eraOf } = deps
  const { conversations, chainLength, ranks } = workload
  const states = new Uint8Array(events)
  const newLedger = () => createLedger({ events, conversations })
  const steps = Array.from({ length: chainLength }, newLedger)
  const screens = Array.from({ length: ranks }, newLedger)
  const lastStep = steps.at(-1)!
  const latency = { confirmed: createLatency(), handled: createLatency(), shown: createLatency() }
  const timeline = createTimeline()
  const late = { handled: 0, shown: 0 }
  const lastSeenMs = { confirmed: 0, handled: 0, shown: 0 }
  let startMs = 0
  let confirmed = 0
  let unconfirmed = 0
  let sent = 0
  let strangers = 0

  function seen(name: 'confirmed' | 'handled' | 'shown', index: number, atMs: number): void {
    const latencyMs = atMs - dueMs({ rate, startMs }, index)
    latency[name].record(latencyMs)
    timeline.record(name, atMs - startMs, latencyMs)
    lastSeenMs[name] = atMs
    if (name === 'confirmed') return
    if (latencyMs > lateMs) late[name]++
    deps.onSeen(name, atMs)
  }

  return {
    /** The first event is due at this Unix time in milliseconds. Call it before anything is sent. */
    begin(atMs: number): void {
      startMs = atMs
    },
    sent(index: number): void {
      states[index] = SENT
      sent++
    },
    confirmed(index: number, atMs: number): void {
      states[index] = CONFIRMED
      confirmed++
      seen('confirmed', index, atMs)
    },
    unconfirmed(index: number): void {
      states[index] = UNCONFIRMED
      unconfirmed++
    },
    executed({ index, step, invocationId, atMs }: Execution): void {
      const ledger = steps[step]
      const isOurs = ledger && workload.isInvocationOf(index, step, invocationId)
      const arrival = isOurs ? ledger.arrive(index) : 'unknown'
      if (arrival === 'unknown') strangers++
      if (arrival === 'first' && ledger === lastStep) seen('handled', index, atMs)
    },
    shown(index: number, subscriber: number, era: number, atMs: number): void {
      const rank = workload.subscribers[subscriber]?.rank ?? 0
      const belongs = workload.subscriberOf(index, rank) === subscriber
      const arrival = belongs ? screens[rank]!.arrive(index, era) : 'unknown'
      if (arrival === 'unknown') strangers++
      if (arrival === 'first') seen('shown', index, atMs)
    },
    /** Events whose confirm is still awaited. */
    get pending() {
      return sent - confirmed - unconfirmed
    },
    get confirmedCount() {
      return confirmed
    },
    get handledCount() {
      return lastStep.arrived
    },
    get shownCount() {
      return screens.reduce((sum, ledger) => sum + ledger.arrived, 0)
    },
    lastSeenMs,
    latency,
    /** Call it once, at the end. */
    seconds: () => timeline.seconds(),
    /** Confirmed events whose last step was not executed. */
    notHandled: (): number[] => lastStep.missing((index) => states[index] === CONFIRMED).lost,
    /** Frames of confirmed events that did not come, of all subscribers. */
    notShown(): Missing {
      const all: Missing = { lost: [], missed: [] }
      for (const [rank, ledger] of screens.entries()) {
        const watcherOf = (index: number) => workload.subscriberOf(index, rank)
        const { lost, missed } = ledger.missing(
          (index) => states[index] === CONFIRMED && watcherOf(index) !== undefined,
          (index) => eraOf(watcherOf(index)!),
        )
        for (const index of lost) all.lost.push(index)
        for (const index of missed) all.missed.push(index)
      }
      return all
    },
    totals() {
      const sum = (ledgers: typeof steps, of: (ledger: (typeof steps)[number]) => number) =>
        ledgers.reduce((total, ledger) => total + of(ledger), 0)
      let unconfirmedHandled = 0
      for (let index = 0; index < events; index++) {
        if (states[index] === UNCONFIRMED && lastStep.has(index)) unconfirmedHandled++
      }
      return {
        sent,
        confirmed,
        unconfirmed,
        unconfirmedHandled,
        handled: {
          arrived: lastStep.arrived,
          repeated: sum(steps, (ledger) => ledger.repeated),
          reordered: lastStep.reordered,
          late: late.handled,
        },
        shown: {
          arrived: sum(screens, (ledger) => ledger.arrived),
          repeated: sum(screens, (ledger) => ledger.repeated),
          reordered: sum(screens, (ledger) => ledger.reordered),
          late: late.shown,
        },
        strangers,
      }
    },
  }
}

/** Doing the faults of a plan at their times, and measuring how soon work goes on after each. */
import { setTimeout as wait } from 'node:timers/promises'
import { delay } from '@signalbox/kit'
import type { PrivateServer } from '@signalbox/private-brokers'
import { preciseNowMs } from './clock.ts'
import { type Fault, type FaultTarget, faultText } from './fault.ts'
import type { FaultTargets } from './system.ts'

/** Times in milliseconds since the start of the load; absent where it did not come to that. */
export interface FaultReport {
  text: string
  /** Which of several, from 1; each fault of a target takes the next, or the one that it names. */
  instance: number
  beganMs: number
  /** Nothing was done: it had not served again yet after the fault before. */
  isSkipped?: true
  /** It was started again, or went on. */
  endedMs?: number
  /** It served again. */
  servedMs?: number
  /**
   * From the end of the fault (of RabbitMQ and Redis: from when they served again) to the next event that was handled, and to the
   * next frame that was shown.
   */
  handledAfterMs?: number
  shownAfterMs?: number
  /** The longest time without an event handled, or a frame shown, between the beginning of the fault and work after its end. */
  handledSilenceMs?: number
  shownSilenceMs?: number
}

type Sight = 'handled' | 'shown'

/** A fault after which work has not been seen to go on. */
interface OpenFault {
  report: FaultReport
  awaiting: Set<Sight>
  /** From when on work counts as going on again; absent: the fault lasts. */
  sinceMs?: number
}

export interface FaultRunOptions {
  faults: readonly Fault[]
  /** Unix time in milliseconds. */
  startMs: number
  signal: AbortSignal
}

export type FaultRun = ReturnType<typeof startFaults>

export function startFaults({ faults, startMs, signal }: FaultRunOptions, targets: FaultTargets) {
  const reports: FaultReport[] = []
  const turns = new Map<FaultTarget, number>()
  const open = new Set<OpenFault>()
  /** Struck, and not serving again. */
  const down = new Set<PrivateServer>()
  const lastSeenMs = { handled: startMs, shown: startMs }

  async function perform(fault: Fault): Promise<void> {
    await wait(Math.max(0, startMs + fault.atMs - preciseNowMs()), undefined, { signal })
    const { index, victim } = victimOf(fault)
    const report: FaultReport = {
      text: faultText(fault),
      instance: index + 1,
      beganMs: preciseNowMs() - startMs,
    }
    reports.push(report)
    if (down.has(victim)) {
      report.isSkipped = true
      return
    }
    down.add(victim)
    const openFault: OpenFault = { report, awaiting: new Set(['handled', 'shown']) }
    open.add(openFault)
    await strike(fault, victim)
    // n.b. whoever aborts still gets a system that can finish its work.
    await delay(fault.forMs, signal)
    report.endedMs = preciseNowMs() - startMs
    // n.b. a service works from its start on; a broker can do nothing for anybody before it serves.
    const isBroker = fault.target === 'rabbitmq' || fault.target === 'redis'
    if (!isBroker) openFault.sinceMs = preciseNowMs()
    await heal(fault, victim)
    report.servedMs = preciseNowMs() - startMs
    openFault.sinceMs ??= preciseNowMs()
    down.delete(victim)
  }

  function victimOf({ verb, target, instance }: Fault) {
    const candidates = targets[target]
    const turn = turns.get(target) ?? 0
    if (instance === undefined) turns.set(target, turn + 1)
    const index = instance === undefined ? turn % candidates.length : instance - 1
    const victim = candidates[index]
    if (!victim) throw new Error(`there is no ${target} to ${verb}`)
    return { index, victim }
  }

  return {
    /** In the order in which they began. */
    reports,
    /** Resolves when all have served again. Rejects when one could not be done, or `signal` aborts before one began. */
    done: Promise.all(faults.map(perform)).then(() => undefined),
    /** Something was handled or shown at this Unix time. */
    seen(name: Sight, atMs: number): void {
      const before = lastSeenMs[name]
      lastSeenMs[name] = Math.max(before, atMs)
      for (const fault of open) {
        const { report, sinceMs, awaiting } = fault
        if (!awaiting.has(name)) continue
        const silenceMs = atMs - Math.max(before, startMs + report.beganMs)
        report[`${name}SilenceMs`] = Math.max(report[`${name}SilenceMs`] ?? 0, silenceMs)
        if (sinceMs === undefined || atMs < sinceMs) continue
        report[`${name}AfterMs`] = atMs - sinceMs
        awaiting.delete(name)
        if (awaiting.size === 0) open.delete(fault)
      }
    },
  }
}

async function strike({ verb }: Fault, victim: PrivateServer): Promise<void> {
  switch (verb) {
    case 'kill':
      return victim.kill()
    case 'stop':
      return victim.stop()
    case 'pause':
      return victim.pause()
  }
}

async function heal({ verb }: Fault, victim: PrivateServer): Promise<void> {
  if (verb === 'pause') victim.resume()
  else await victim.start()
}

import { type PrivateServer, waitFor } from '@signalbox/private-brokers'
import { expect, test } from 'vitest'
import { preciseNowMs } from '../../src/loadtest/clock.ts'
import { type Fault, faultsOf } from '../../src/loadtest/fault.ts'
import { startFaults } from '../../src/loadtest/fault-run.ts'
import type { FaultTargets } from '../../src/loadtest/system.ts'

const NEVER = new AbortController().signal
const TEN_MINUTES_MS = 600_000
const parsed = (...texts: string[]): Fault[] => faultsOf(texts, TEN_MINUTES_MS)

/** Notes what is done to it, under its name. */
function aServer(name: string, done: string[]): PrivateServer {
  return {
    kill: async () => void done.push(`kill ${name}`),
    stop: async () => void done.push(`stop ${name}`),
    start: async () => void done.push(`start ${name}`),
    pause: () => void done.push(`pause ${name}`),
    resume: () => void done.push(`resume ${name}`),
    output: () => '',
    [Symbol.asyncDispose]: async () => undefined,
  }
}

function targetsOf(changes: Partial<FaultTargets>): FaultTargets {
  return { rabbitmq: [], redis: [], dispatcher: [], worker: [], edge: [], ...changes }
}

test.each([
  ['kill', 'start'],
  ['stop', 'start'],
  ['pause', 'resume'],
])('%s is done, and %s after its time', async (verb, undoing) => {
  const done: string[] = []
  const faults = parsed(`${verb} edge at 1ms for 1ms`)
  const targets = targetsOf({ edge: [aServer('edge', done)] })
  await startFaults({ faults, startMs: preciseNowMs(), signal: NEVER }, targets).done
  expect(done).toEqual([`${verb} edge`, `${undoing} edge`])
})

test('of several instances of a target each fault takes the next', async () => {
  const faults = parsed(...[1, 2, 3].map((second) => `kill edge at ${second}s for 1ms`))
  const targets = targetsOf({ edge: ['1', '2'].map((name) => aServer(name, [])) })
  // n.b. all of them are due already, so that they begin in their order at once.
  const run = startFaults({ faults, startMs: preciseNowMs() - 10_000, signal: NEVER }, targets)
  await run.done
  expect(run.reports.map(({ instance }) => instance)).toEqual([1, 2, 1])
})

test('an instance that is named takes no turn of the others', async () => {
  const faults = parsed(
    ...['kill edge:3 at 1s for 1ms', 'kill edge at 2s for 1ms', 'kill edge at 3s for 1ms'],
  )
  const targets = targetsOf({ edge: ['1', '2', '3'].map((name) => aServer(name, [])) })
  const run = startFaults({ faults, startMs: preciseNowMs() - 10_000, signal: NEVER }, targets)
  await run.done
  expect(run.reports.map(({ instance }) => instance)).toEqual([3, 1, 2])
})

test('what has not served again yet is left alone, and the report says so', async () => {
  const done: string[] = []
  const served = Promise.withResolvers<void>()
  const redis = { ...aServer('redis', done), start: () => served.promise }
  const faults = parsed('kill redis at 1ms for 1ms', 'kill redis at 2ms for 1ms')
  const run = startFaults(
    { faults, startMs: preciseNowMs(), signal: NEVER },
    targetsOf({ redis: [redis] }),
  )
  await waitFor(() => run.reports.length === 2, { what: 'both faults to be due' })
  served.resolve()
  await run.done
  expect(run.reports.map(({ isSkipped }) => isSkipped)).toEqual([undefined, true])
  expect(done).toEqual(['kill redis'])
})

test('work counts as going on from the end of the fault, and the longest silence around it is kept', async () => {
  const startMs = preciseNowMs()
  const targets = targetsOf({ redis: [aServer('redis', [])] })
  const faults = parsed('kill redis at 1ms for 1ms')
  const run = startFaults({ faults, startMs, signal: NEVER }, targets)
  await run.done
  const [report] = run.reports
  const servedMs = startMs + report!.servedMs!

  run.seen('handled', servedMs - 0.001)
  expect(report?.handledAfterMs).toBeUndefined()
  run.seen('handled', servedMs + 700)
  run.seen('handled', servedMs + 9_000)
  expect(report?.handledAfterMs).toBeCloseTo(700, -1)
  expect(report?.handledSilenceMs).toBeCloseTo(700, -1)
  expect(report?.shownAfterMs).toBeUndefined()
})

test('a fault that is under way when the run is ended is undone at once', async () => {
  const done: string[] = []
  const ending = new AbortController()
  const killed = Promise.withResolvers<void>()
  const redis = { ...aServer('redis', done), kill: async () => killed.resolve() }
  const run = startFaults(
    {
      faults: parsed('kill redis at 0s for 10m'),
      startMs: preciseNowMs(),
      signal: ending.signal,
    },
    targetsOf({ redis: [redis] }),
  )
  await killed.promise
  ending.abort()
  await run.done
  expect(done).toEqual(['start redis'])
})

test('a fault whose target was not started here is an error', async () => {
  const faults = parsed('kill worker at 0s for 1ms')
  const run = startFaults({ faults, startMs: preciseNowMs(), signal: NEVER }, targetsOf({}))
  await expect(run.done).rejects.toThrow('there is no worker to kill')
})

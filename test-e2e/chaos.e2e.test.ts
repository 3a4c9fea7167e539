/** Everything is killed once, in turn, under load: nothing confirmed is lost, and work goes on within seconds. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const AGAIN_WITHIN_MS = 5_000
const TIMEOUT_MS = 170_000

const SERVICES = [
  'kill dispatcher at 2s for 0.5s',
  'kill worker at 4s for 0.5s',
  'kill edge at 6s for 0.5s',
]
const BROKERS = ['kill redis at 9s for 0.5s', 'kill rabbitmq at 13s for 0.5s']

/** As much of the report as is looked at here. */
interface Report {
  totals: {
    confirmed: number
    strangers: number
    handled: { arrived: number }
    shown: { repeated: number; reordered: number }
  }
  unhandled: { lost: number; unmatched: number; deadLettered: number }
  unshown: { lost: number }
  faults: {
    text: string
    handledAfterMs?: number
    shownAfterMs?: number
    handledSilenceMs?: number
    shownSilenceMs?: number
  }[]
  verdict: string[]
}

let folder: string
let report: Report

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'signalbox-chaos-'))
  const file = join(folder, 'report.json')
  const faults = [...SERVICES, ...BROKERS].flatMap((fault) => ['--fault', fault])
  const several = ['--dispatchers', '2', '--workers', '2', '--edges', '2']
  const load = ['--rate', '50', '--duration', '30s', '--subscribers', '10']
  const args = ['packages/cli/src/main.ts', 'loadtest', '--up', ...several, ...load, ...faults]
  // n.b. exit code 1 is a verdict: the report says which.
  await promisify(execFile)(process.execPath, [...args, '--json', file]).catch(
    async (error: Error & { stderr: string }) => {
      await readFile(file).catch(() => expect.fail(error.stderr))
    },
  )
  report = JSON.parse(await readFile(file, 'utf8')) as Report
}, TIMEOUT_MS)
afterAll(() => rm(folder, { recursive: true, force: true }))

const faultOf = (text: string) => report.faults.find((fault) => fault.text === text)

describe('when everything is killed in turn under load', () => {
  it('every confirmed event is handled, and shown on every socket that was open', () => {
    expect(report.verdict).toEqual([])
    expect(report.totals.confirmed).toBeGreaterThan(500)
    expect(report.totals.handled.arrived).toBeGreaterThanOrEqual(report.totals.confirmed)
    expect(report.unhandled).toMatchObject({ lost: 0, unmatched: 0, deadLettered: 0 })
    expect(report.unshown.lost).toBe(0)
  })

  it('what is executed again has the identity it had, and no frame comes twice or out of order', () => {
    expect(report.totals.strangers).toBe(0)
    expect(report.totals.shown).toMatchObject({ repeated: 0, reordered: 0 })
  })

  it.each(SERVICES)('one of two goes on for both: %s', (text) => {
    const fault = faultOf(text)
    expect(fault?.handledSilenceMs).toBeLessThan(AGAIN_WITHIN_MS)
    expect(fault?.shownSilenceMs).toBeLessThan(AGAIN_WITHIN_MS)
  })

  it.each(BROKERS)('work goes on as soon as it serves again: %s', (text) => {
    const fault = faultOf(text)
    expect(fault?.handledAfterMs).toBeLessThan(AGAIN_WITHIN_MS)
    expect(fault?.shownAfterMs).toBeLessThan(AGAIN_WITHIN_MS)
  })
})

import { describe, expect, it } from 'vitest'
import type { FaultReport } from '../../src/loadtest/fault-run.ts'
import { verdictOf } from '../../src/loadtest/report.ts'
import { reportHtml } from '../../src/loadtest/report-html.ts'
import { reportText } from '../../src/loadtest/report-text.ts'
import { aReport } from './a-report.ts'

describe('the verdict', () => {
  const { totals, unhandled, unshown } = aReport()

  it('is empty when all confirmed events were handled and shown', () => {
    expect(verdictOf({ totals, unhandled, unshown })).toEqual([])
  })

  it('forgives frames that were missed, repetitions, and events that were never confirmed', () => {
    const repeated = { ...totals, handled: { ...totals.handled, repeated: 9 }, unconfirmed: 7 }
    expect(verdictOf({ totals: repeated, unhandled, unshown: { lost: 0, missed: 5 } })).toEqual([])
  })

  it('names each thing that must not be, with its count', () => {
    expect(
      verdictOf({
        totals: { ...totals, strangers: 1 },
        unhandled: { ...unhandled, lost: 2, unmatched: 3, deadLettered: 4 },
        unshown: { lost: 5_000, missed: 0 },
      }),
    ).toEqual([
      '2 confirmed events were lost',
      '3 events matched no chain, although each account has one for them',
      '4 events were dead-lettered',
      '5,000 frames did not come although the socket was open',
      '1 executions or frames were of no identity that an event of this run has',
    ])
  })

  it('is a failure when nothing was confirmed at all', () => {
    const nothing = { ...totals, confirmed: 0 }
    expect(verdictOf({ totals: nothing, unhandled, unshown })).toEqual(['no event was confirmed'])
  })
})

describe('the report as text', () => {
  it('shows rates, latencies, losses, faults and the verdict', () => {
    const text = reportText(aReport())
    expect(text).toContain('asked 100/s, confirmed 99.9/s, handled 98.5/s')
    expect(text).toMatch(/^publish to handled +10\.0 +20\.0 +30\.0 +40\.0 +50\.0 +1,000$/m)
    expect(text).toMatch(/^publish to socket +- +- +- +- +- +0$/m)
    expect(text).toMatch(/^kill <b>redis<\/b> +1 +at 4 s +after 120 ms +not seen +1.5 s, 0 ms$/m)
    expect(text.endsWith('OK: all 1,000 confirmed events are accounted for')).toBe(true)
  })

  it('has a line for the worst of several faults, and says which were skipped', () => {
    const [fault] = aReport().faults as [FaultReport]
    const other = {
      ...fault,
      text: 'kill edge',
      servedMs: 6_500,
      handledAfterMs: 80,
      shownAfterMs: 9,
      shownSilenceMs: 2_000,
    }
    const skipped = { text: 'kill worker', instance: 2, beganMs: 5_000, isSkipped: true as const }
    const text = reportText(aReport({ faults: [fault, other, skipped] }))
    expect(text).toMatch(/^kill worker +2 +skipped: was down$/m)
    expect(text).toMatch(
      /^the worst of 2 +3\.5 s after its end +after 120 ms +not seen +1\.5 s, 2 s$/m,
    )
  })

  it('names a few of the lost events', () => {
    const lost = { unmatched: 0, deadLettered: 0, lost: 2, examples: ['e-1 (pending)'] }
    const text = reportText(aReport({ unhandled: lost, verdict: ['2 confirmed events were lost'] }))
    expect(
      text.endsWith('FAILED\n  2 confirmed events were lost\n  for example e-1 (pending)'),
    ).toBe(true)
  })
})

describe('the report as a page', () => {
  const page = reportHtml(aReport())

  it('asks nobody for anything: no script, no address', () => {
    expect(page).not.toMatch(/<script|<link|src=|href=|https?:|url\(/)
  })

  it('has three plots, with the fault marked where it lasted', () => {
    expect(page.match(/<svg /g)).toHaveLength(3)
    expect(page.match(/<rect class="band"/g)).toHaveLength(2)
    expect(page).toContain('<polyline class="line series-handled"')
  })

  it('escapes what was written by whoever ran it', () => {
    expect(page).toContain('kill &lt;b&gt;redis&lt;/b&gt;')
    expect(page).not.toContain('<b>redis')
  })

  it('says so when nothing was measured', () => {
    const empty = aReport({ seconds: [], curves: { confirmed: [], handled: [], shown: [] } })
    expect(reportHtml(empty).match(/Nothing was measured/g)).toHaveLength(3)
  })
})

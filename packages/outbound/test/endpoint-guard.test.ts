import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CircuitOptions, EndpointLimits, Verdict } from '../src/circuit.ts'
import { createEndpointGuard, type Pass, passResultOf } from '../src/endpoint-guard.ts'
import type { DeliveryOutcome } from '../src/outcome.ts'

const OPTIONS: CircuitOptions = {
  failuresToOpen: 3,
  firstProbeMs: 1_000,
  maxProbeMs: 8_000,
  maxHoldMs: 60_000,
  busyWaitMs: 100,
}
const UNLIMITED: EndpointLimits = { maxConcurrent: 1_000, ratePerSecond: Infinity, burst: 1_000 }

/** A guard whose clock stands until it is told. */
function given(limits: Partial<EndpointLimits> = {}, more: { maxEndpoints?: number } = {}) {
  const clock = { nowMs: 0 }
  const guard = createEndpointGuard(
    { ...OPTIONS, ...more, limits: { ...UNLIMITED, ...limits } },
    { now: () => clock.nowMs, random: () => 1 },
  )
  const pass = (endpoint = 'e'): Pass => {
    const answer = guard.ask(endpoint)
    if (!answer.go) throw new Error(`told to wait: ${answer.reason}`)
    return answer.pass
  }
  const end = (verdict: Verdict, holdMs?: number) => pass().settle({ verdict, holdMs })
  return { clock, guard, pass, end }
}

describe('the circuit', () => {
  test('opens on failures in a row, and not on others', () => {
    const { guard, end } = given()
    for (const verdict of ['failure', 'failure', 'success', 'failure', 'failure'] as const) {
      end(verdict)
    }
    expect(guard.ask('e').go).toBe(true)
    end('failure')
    expect(guard.ask('e')).toEqual({ go: false, waitMs: 1_000, reason: 'circuit_open' })
    expect(guard.ask('another').go).toBe(true)
    expect(guard.countOpen()).toBe(1)
  })

  test('probes one at a time, with a growing delay, and closes on a success', () => {
    const { clock, guard, pass, end } = given()
    for (let i = 0; i < 3; i += 1) end('failure')
    for (const delayMs of [1_000, 2_000, 4_000, 8_000, 8_000]) {
      expect(guard.ask('e')).toEqual({ go: false, waitMs: delayMs, reason: 'circuit_open' })
      clock.nowMs += delayMs - 1
      expect(guard.ask('e')).toMatchObject({ go: false, waitMs: 1 })
      clock.nowMs += 1
      const probe = pass()
      expect(guard.ask('e')).toEqual({ go: false, waitMs: 100, reason: 'circuit_open' })
      probe.settle({ verdict: 'failure' })
    }
    clock.nowMs += 8_000
    end('success')
    end('failure')
    expect(guard.ask('e').go).toBe(true)
    expect(guard.countOpen()).toBe(0)
  })

  test('is not closed by what began before it opened', () => {
    const { clock, guard, pass, end } = given()
    const early = pass()
    for (let i = 0; i < 3; i += 1) end('failure')
    early.settle({ verdict: 'success' })
    expect(guard.ask('e')).toMatchObject({ go: false, reason: 'circuit_open' })
    clock.nowMs += 1_000
    const probe = pass()
    expect(guard.ask('e').go).toBe(false)
    probe.settle({ verdict: 'success' })
    expect(guard.ask('e').go).toBe(true)
  })

  test('probes again at once when a probe said nothing', () => {
    const { clock, end, guard } = given()
    for (let i = 0; i < 3; i += 1) end('failure')
    clock.nowMs += 1_000
    end('neutral')
    expect(guard.ask('e').go).toBe(true)
    expect(guard.ask('e').go).toBe(false)
  })
})

test('deliveries at once are bounded', () => {
  const { guard, pass } = given({ maxConcurrent: 2 })
  const first = pass()
  pass()
  expect(guard.ask('e')).toEqual({ go: false, waitMs: 100, reason: 'busy' })
  first.settle({ verdict: 'success' })
  first.settle({ verdict: 'success' })
  pass()
  expect(guard.ask('e')).toMatchObject({ go: false, reason: 'busy' })
})

test('a rate lets a burst through and then so many a second', () => {
  const { clock, guard, end } = given({ ratePerSecond: 10, burst: 3 })
  for (let i = 0; i < 3; i += 1) end('success')
  expect(guard.ask('e')).toEqual({ go: false, waitMs: 100, reason: 'rate' })
  clock.nowMs += 100
  end('success')
  expect(guard.ask('e')).toEqual({ go: false, waitMs: 100, reason: 'rate' })
})

test('what an endpoint asks for holds all its deliveries, bounded', () => {
  const { clock, guard, end } = given()
  end('neutral', 5_000)
  expect(guard.ask('e')).toEqual({ go: false, waitMs: 5_000, reason: 'held' })
  clock.nowMs += 5_000
  end('neutral', 9_999_999)
  expect(guard.ask('e')).toEqual({ go: false, waitMs: 60_000, reason: 'held' })
})

test('endpoints are bounded: the one asked for longest ago is forgotten, never one with work', () => {
  const { guard, pass } = given({}, { maxEndpoints: 2 })
  const a = pass('a')
  pass('b').settle({ verdict: 'success' })
  const c = pass('c')
  expect(guard.size).toBe(2)
  expect(guard.ask('d')).toEqual({ go: false, waitMs: 100, reason: 'full' })
  expect(guard.size).toBe(2)
  a.settle({ verdict: 'success' })
  expect(guard.ask('d').go).toBe(true)
  c.settle({ verdict: 'success' })
  expect(guard.size).toBe(2)
})

test('whatever comes in whatever order, the bounds hold', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('ask' as const) }),
    fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 3_000 }) }),
    fc.record({
      kind: fc.constant('settle' as const),
      index: fc.nat(),
      verdict: fc.constantFrom<Verdict>('success', 'failure', 'neutral'),
      holdMs: fc.option(fc.integer({ min: 0, max: 2_000 }), { nil: undefined }),
    }),
  )
  const limits = { maxConcurrent: 3, ratePerSecond: 5, burst: 4 }
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { clock, guard } = given(limits)
      const underWay: Pass[] = []
      const startedAtMs: number[] = []
      for (const one of steps) {
        if (one.kind === 'pass') clock.nowMs += one.ms
        if (one.kind === 'settle' && underWay.length > 0) {
          const [pass] = underWay.splice(one.index % underWay.length, 1)
          pass?.settle(one)
        }
        if (one.kind !== 'ask') continue
        const answer = guard.ask('e')
        if (answer.go) {
          underWay.push(answer.pass)
          startedAtMs.push(clock.nowMs)
        } else {
          expect(answer.waitMs).toBeGreaterThanOrEqual(1)
          expect(answer.waitMs).toBeLessThanOrEqual(OPTIONS.maxHoldMs)
        }
        expect(underWay.length).toBeLessThanOrEqual(limits.maxConcurrent)
      }
      for (const [index, fromMs] of startedAtMs.entries()) {
        for (let last = index; last < startedAtMs.length; last += 1) {
          const elapsedS = (startedAtMs[last]! - fromMs) / 1_000
          const allowed = limits.burst + elapsedS * limits.ratePerSecond
          expect(last - index + 1).toBeLessThanOrEqual(allowed + 1e-6)
        }
      }
    }),
  )
})

test('who waits as told, with nobody else there, goes', () => {
  const outcomes = fc.array(fc.constantFrom<Verdict>('success', 'failure', 'neutral'), {
    maxLength: 40,
  })
  fc.assert(
    fc.property(outcomes, fc.nat(5_000), (verdicts, holdMs) => {
      const { clock, guard } = given({ ratePerSecond: 7, burst: 2 })
      for (const verdict of verdicts) {
        const first = guard.ask('e')
        if (!first.go) clock.nowMs += first.waitMs
        // n.b. a hold may end in the middle of what the rate asks for; one more wait and no more is needed.
        const second = first.go ? first : guard.ask('e')
        if (!second.go) clock.nowMs += second.waitMs
        const third = second.go ? second : guard.ask('e')
        if (!third.go) throw new Error(`still told to wait: ${third.reason}`)
        third.pass.settle({ verdict, holdMs })
      }
    }),
  )
})

test.each<[Partial<DeliveryOutcome>, object]>([
  [{ outcome: 'delivered', status: 200 }, { verdict: 'success' }],
  [{ outcome: 'refused', status: 404 }, { verdict: 'success' }],
  [{ outcome: 'refused', code: 'UNROUTABLE' }, { verdict: 'success' }],
  [
    { outcome: 'refused', status: 429, retryAfterMs: 5 },
    { verdict: 'neutral', holdMs: 5 },
  ],
  [
    { outcome: 'refused', status: 503, retryAfterMs: 5 },
    { verdict: 'failure', holdMs: 5 },
  ],
  [{ outcome: 'unreachable' }, { verdict: 'failure' }],
  [{ outcome: 'timed_out' }, { verdict: 'failure' }],
  [{ outcome: 'forbidden' }, { verdict: 'neutral' }],
])('%j says %j of its endpoint', (outcome, expected) => {
  expect(passResultOf(outcome as DeliveryOutcome)).toEqual(expected)
})

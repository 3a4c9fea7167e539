import { describe, expect, it, test } from 'vitest'
import { faultOf, faultText, requireInTurn } from '../../src/loadtest/fault.ts'
import { UsageError } from '../../src/usage-error.ts'

describe('a fault', () => {
  it.each([
    [
      'kill rabbitmq at 10s for 5s',
      { verb: 'kill', target: 'rabbitmq', atMs: 10_000, forMs: 5_000 },
    ],
    ['stop redis at 1.5s for 250ms', { verb: 'stop', target: 'redis', atMs: 1_500, forMs: 250 }],
    ['  pause  edge at 2m for 1s ', { verb: 'pause', target: 'edge', atMs: 120_000, forMs: 1_000 }],
  ])('reads as it is written: %s', (text, fault) => {
    expect(faultOf(text)).toEqual(fault)
  })

  it.each([
    ['', 'must read "<verb> <target> at <time> for <time>"'],
    ['kill rabbitmq', 'must read "<verb> <target> at <time> for <time>"'],
    ['kill rabbitmq in 10s for 5s', 'must read'],
    ['kill rabbitmq at 10s for 5s now', 'must read'],
    ['unplug rabbitmq at 10s for 5s', 'the verb must be one of kill, stop, pause, not "unplug"'],
    [
      'kill postgres at 10s for 5s',
      'the target must be one of rabbitmq, redis, dispatcher, worker, edge',
    ],
    [
      'kill edge at soon for 5s',
      'after "at" comes a duration such as 500ms, 10s or 2m, not "soon"',
    ],
    ['kill edge at 1s for 5', 'after "for" comes a duration such as 500ms, 10s or 2m, not "5"'],
    ['kill edge at 1s for 0s', 'must be more than 0 and at most 10m'],
    ['kill edge at 1s for 11m', 'must be more than 0 and at most 10m'],
  ])('that is wrong names its part: %s', (text, message) => {
    expect(() => faultOf(text)).toThrow(UsageError)
    expect(() => faultOf(text)).toThrow(message)
  })

  it('is written as it would be read', () => {
    const text = 'kill redis at 1.5s for 0.25s'
    expect(faultText(faultOf(text))).toBe(text)
  })
})

test('a fault that begins when the load has ended is refused', () => {
  expect(() => requireInTurn([faultOf('kill edge at 10s for 1s')], 10_000)).toThrow(
    'begins after the load has ended (--duration 10s)',
  )
})

test('faults of one target must not overlap, those of several may', () => {
  const first = faultOf('kill edge at 1s for 3s')
  expect(() => requireInTurn([faultOf('stop edge at 3s for 1s'), first], 10_000)).toThrow(
    '"stop edge at 3s for 1s" begins before "kill edge at 1s for 3s" is over',
  )
  expect(() => requireInTurn([first, faultOf('kill redis at 2s for 1s')], 10_000)).not.toThrow()
  expect(() => requireInTurn([first, faultOf('stop edge at 4s for 1s')], 10_000)).not.toThrow()
})

import { describe, expect, it, test } from 'vitest'
import { faultsOf, faultText, requireInstances } from '../../src/loadtest/fault.ts'
import { UsageError } from '../../src/usage-error.ts'

const FIVE_MINUTES_MS = 300_000
const parsed = (...texts: string[]) => faultsOf(texts, FIVE_MINUTES_MS)

describe('a fault', () => {
  it.each([
    [
      'kill rabbitmq at 10s for 5s',
      { verb: 'kill', target: 'rabbitmq', atMs: 10_000, forMs: 5_000 },
    ],
    ['stop redis at 1.5s for 250ms', { verb: 'stop', target: 'redis', atMs: 1_500, forMs: 250 }],
    ['  pause  edge at 2m for 1s ', { verb: 'pause', target: 'edge', atMs: 120_000, forMs: 1_000 }],
    [
      'kill rabbitmq:2 at 0s for 1s',
      { verb: 'kill', target: 'rabbitmq', instance: 2, atMs: 0, forMs: 1_000 },
    ],
  ])('reads as it is written: %s', (text, fault) => {
    expect(parsed(text)).toEqual([fault])
  })

  it.each([
    ['', 'must read "<verb> <target> at <time> for <time>"'],
    ['kill rabbitmq', 'must read "<verb> <target> at <time> for <time>"'],
    ['kill rabbitmq in 10s for 5s', 'must read'],
    ['kill rabbitmq at 10s for 5s now', 'must read'],
    ['kill rabbitmq at 10s from 5s for 5s', 'must read'],
    ['kill rabbitmq at 10s every 5s for 5s', 'must read'],
    ['kill rabbitmq, redis every 10s for 5s', 'must read'],
    ['unplug rabbitmq at 10s for 5s', 'the verb must be one of kill, stop, pause, not "unplug"'],
    [
      'kill postgres at 10s for 5s',
      'the target must be one of rabbitmq, redis, dispatcher, worker, edge',
    ],
    ['kill edge,,redis every 10s for 5s', 'the target must be one of'],
    ['kill edge:0 at 10s for 5s', 'after "edge:" comes its number from 1, not "0"'],
    ['kill edge:1:2 at 10s for 5s', 'after "edge:" comes its number from 1, not "1:2"'],
    ['kill edge,redis at 10s for 5s', 'several targets take turns with "every" only'],
    [
      'kill edge at soon for 5s',
      'after "at" comes a duration such as 500ms, 10s or 2m, not "soon"',
    ],
    ['kill edge every now for 5s', 'after "every" comes a duration'],
    ['kill edge every 5s from now for 1s', 'after "from" comes a duration'],
    ['kill edge every 999ms for 1ms', 'the time after "every" must be at least 1s'],
    ['kill edge at 1s for 5', 'after "for" comes a duration such as 500ms, 10s or 2m, not "5"'],
    ['kill edge at 1s for 0s', 'must be more than 0 and at most 10m'],
    ['kill edge at 1s for 11m', 'must be more than 0 and at most 10m'],
    ['kill edge at 5m for 1s', 'begins after the load has ended (--duration 300s)'],
    ['kill edge every 5m for 1s', 'begins after the load has ended (--duration 300s)'],
    [
      'kill edge every 2s for 3s',
      '"kill edge at 4s for 3s" begins before "kill edge at 2s for 3s" is over',
    ],
  ])('that is wrong names its part: %s', (text, message) => {
    expect(() => parsed(text)).toThrow(UsageError)
    expect(() => parsed(text)).toThrow(message)
  })

  it.each(['kill redis at 1.5s for 0.25s', 'stop edge:12 at 1s for 1s'])(
    'is written as it would be read: %s',
    (text) => {
      expect(parsed(text).map(faultText)).toEqual([text])
    },
  )
})

describe('a fault every so often', () => {
  it('is done until the load ends', () => {
    expect(parsed('kill rabbitmq every 2m for 5s').map(faultText)).toEqual([
      'kill rabbitmq at 120s for 5s',
      'kill rabbitmq at 240s for 5s',
    ])
  })

  it('takes its targets in turn, from the time that is named', () => {
    expect(parsed('stop edge,redis,worker:2 every 1m from 30s for 70s').map(faultText)).toEqual([
      'stop edge at 30s for 70s',
      'stop redis at 90s for 70s',
      'stop worker:2 at 150s for 70s',
      'stop edge at 210s for 70s',
      'stop redis at 270s for 70s',
    ])
  })

  it('is bounded', () => {
    expect(() => faultsOf(['kill edge every 1s for 1ms'], 3_600_000)).toThrow(
      '--fault asks for 3599 faults; at most 1000 are done',
    )
  })
})

test('faults of what may be the same instance must not overlap, others may', () => {
  const first = 'kill edge at 1s for 3s'
  expect(() => parsed('stop edge at 3s for 1s', first)).toThrow(
    '"stop edge at 3s for 1s" begins before "kill edge at 1s for 3s" is over',
  )
  expect(() => parsed('stop edge:2 at 3s for 1s', first)).toThrow('is over')
  expect(() => parsed('stop edge:2 at 3s for 1s', 'kill edge:2 at 2s for 3s')).toThrow('is over')
  expect(parsed(first, 'kill redis at 2s for 1s')).toHaveLength(2)
  expect(parsed(first, 'stop edge at 4s for 1s')).toHaveLength(2)
  expect(parsed('stop edge:2 at 3s for 1s', 'kill edge:1 at 2s for 3s')).toHaveLength(2)
})

test('a fault of an instance that there is not is refused', () => {
  const counts = { rabbitmq: 3, redis: 1, dispatcher: 1, worker: 2, edge: 1 }
  const refusing = (text: string) => () => requireInstances(parsed(text), counts)
  expect(refusing('kill rabbitmq:3 at 1s for 1s')).not.toThrow()
  expect(refusing('kill worker,redis every 1m for 1s')).not.toThrow()
  expect(refusing('kill rabbitmq,worker:3 every 1m for 1s')).toThrow(
    '--fault "kill worker:3 at 120s for 1s": there is no more than 2 worker',
  )
})

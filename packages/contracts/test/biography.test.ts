import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type BiographyFact,
  biographyFactSchema,
  biographyOf,
  biographySchema,
  completeEvent,
  eventSummaryOf,
  eventSummarySchema,
  inTry,
} from '../src/index.ts'
import { eventInput } from './events.ts'

const event = completeEvent(eventInput({ event_id: 'e1', person_key: 'p1' }))

const at = (second: number) => new Date(Date.UTC(2026, 0, 31, 9, 30, second)).toISOString()

const received: BiographyFact = { fact: 'received', at: at(0), event }

function matched(...runIds: string[]): BiographyFact {
  return {
    fact: 'matched',
    at: at(1),
    matched: runIds.map((run_id) => ({
      chain_id: `c-${run_id}`,
      name: 'Chain',
      version: 1,
      run_id,
    })),
    not_matched: [{ chain_id: 'other', name: 'Other', reason: 'conversation_key is "a"' }],
    by_default: false,
    ...(runIds.length === 0 ? { reason: 'no chain has this kind' } : {}),
  }
}

function step(second: number, run_id: string, step_id: string, attempt = 1): BiographyFact {
  return {
    fact: 'step',
    at: at(second),
    run_id,
    step_id,
    handler: 'log',
    attempt,
    status: attempt === 1 ? 'failed' : 'succeeded',
    duration_ms: 5,
  }
}

function ended(
  second: number,
  run_id: string,
  outcome: 'succeeded' | 'dead_lettered' = 'succeeded',
): BiographyFact {
  return { fact: 'run_ended', at: at(second), run_id, outcome }
}

const STORY: BiographyFact[] = [
  received,
  matched('r1', 'r2'),
  step(2, 'r1', 'contact'),
  step(3, 'r2', 'log', 2),
  step(4, 'r1', 'contact', 2),
  step(5, 'r1', 'sms', 2),
  ended(6, 'r1'),
  ended(7, 'r2'),
]

test('facts are what the schema says', () => {
  for (const fact of STORY) expect(biographyFactSchema.parse(fact)).toEqual(fact)
})

test('a story reads as a biography with the steps of each run in the order of their times', () => {
  const biography = biographyOf(STORY)
  expect(biographySchema.parse(biography)).toEqual(biography)
  expect(biography).toMatchObject({ outcome: 'succeeded', received_at: at(0), event })
  expect(biography?.runs[0]?.steps.map(({ step_id, attempt }) => `${step_id}/${attempt}`)).toEqual([
    'contact/1',
    'contact/2',
    'sms/2',
  ])
  expect(biography?.runs.map((run) => run.status)).toEqual(['succeeded', 'succeeded'])
})

test('facts recorded twice or in another order read the same', () => {
  const all = [...STORY, ...STORY]
  fc.assert(
    fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (facts) => {
      expect(biographyOf(facts)).toEqual(biographyOf(STORY))
    }),
  )
})

test('the first time counts when a delivery that came again is recorded later', () => {
  const again = [...STORY.slice(1), { ...received, at: at(30) }, received, step(40, 'r1', 'sms', 2)]
  expect(biographyOf(again)).toEqual(biographyOf(STORY))
})

test('reading leaves the facts as they were', () => {
  const facts = STORY.toReversed()
  const before = structuredClone(facts)
  biographyOf(facts)
  expect(facts).toEqual(before)
})

describe('the outcome', () => {
  const deadLettered: BiographyFact = {
    fact: 'dead_lettered',
    at: at(9),
    code: 'SB_HOP_LIMIT',
    message: 'too many hops',
  }
  test.each<[string, BiographyFact[], string]>([
    ['pending before it was matched', [received], 'pending'],
    ['unmatched when no chain wanted it', [received, matched()], 'unmatched'],
    ['pending while a run goes on', [received, matched('r1', 'r2'), ended(5, 'r1')], 'pending'],
    ['succeeded when all runs have', [received, matched('r1'), ended(5, 'r1')], 'succeeded'],
    [
      'dead_lettered when one run was',
      [received, matched('r1', 'r2'), ended(5, 'r1'), ended(6, 'r2', 'dead_lettered')],
      'dead_lettered',
    ],
    ['dead_lettered when the event itself was', [received, deadLettered], 'dead_lettered'],
  ])('is %s', (_what, facts, outcome) => {
    expect(biographyOf(facts)?.outcome).toBe(outcome)
  })

  test('has its reason: that of the dead letter before that of the match', () => {
    expect(biographyOf([received, matched()])?.reason).toBe('no chain has this kind')
    expect(biographyOf([received, matched(), deadLettered])?.reason).toBe('too many hops')
  })
})

test('without the event there is no biography', () => {
  expect(biographyOf([])).toBeUndefined()
  expect(biographyOf(STORY.slice(1))).toBeUndefined()
})

test('the summary is a line of it', () => {
  const summary = eventSummaryOf(biographyOf(STORY)!)
  expect(eventSummarySchema.parse(summary)).toEqual(summary)
  expect(summary).toMatchObject({ event_id: 'e1', person_key: 'p1', outcome: 'succeeded', runs: 2 })
})

describe('a run whose dead letter is replayed', () => {
  const died = ended(6, 'r1', 'dead_lettered')
  const replayed: BiographyFact = {
    fact: 'replayed',
    at: at(10),
    dead_letter_id: 'd1',
    kind: 'failed_step',
    run_id: 'r1',
  }
  const before = [received, matched('r1'), step(2, 'r1', 'sms'), died]

  test('is running again, and ends as its latest try does', () => {
    expect(biographyOf(before)).toMatchObject({ outcome: 'dead_lettered' })
    expect(biographyOf([...before, replayed])).toMatchObject({
      outcome: 'pending',
      runs: [{ status: 'running' }],
      replays: [{ dead_letter_id: 'd1', kind: 'failed_step', run_id: 'r1' }],
    })
    const second = inTry({ replay_of: 'd1' }, [step(11, 'r1', 'sms', 1), ended(12, 'r1')])
    const biography = biographyOf([...before, replayed, ...second])
    expect(biographySchema.parse(biography)).toEqual(biography)
    expect(biography).toMatchObject({ outcome: 'succeeded', runs: [{ status: 'succeeded' }] })
    expect(biography?.runs[0]?.steps).toHaveLength(2)
  })

  test('is running again also while the replay itself was not told yet', () => {
    const [begun] = inTry({ replay_of: 'd1' }, [step(9, 'r1', 'sms')])
    expect(biographyOf([...before, begun!])).toMatchObject({ outcome: 'pending' })
  })

  test('is as it was when a fact of the first try is told again late', () => {
    const second = inTry({ replay_of: 'd1' }, [ended(12, 'r1')])
    const late = ended(13, 'r1', 'dead_lettered')
    expect(biographyOf([...before, replayed, ...second, late])).toMatchObject({
      outcome: 'succeeded',
    })
  })

  test('from the start is replaced by another, and no longer counts', () => {
    const restart: BiographyFact = {
      ...replayed,
      kind: 'start',
      new_run: { chain_id: 'c-r1', name: 'Chain', version: 2, run_id: 'r2' },
    }
    expect(biographyOf([...before, restart])).toMatchObject({
      outcome: 'pending',
      runs: [
        { run_id: 'r1', status: 'dead_lettered', replaced_by: 'r2' },
        { run_id: 'r2', status: 'running' },
      ],
    })
    const end = inTry({ replay_of: 'd1' }, [ended(12, 'r2')])
    expect(biographyOf([...before, restart, ...end])).toMatchObject({ outcome: 'succeeded' })
  })

  test('is not running again because a command of it was sent again', () => {
    const command: BiographyFact = { ...replayed, kind: 'message' }
    expect(biographyOf([...before, command])).toMatchObject({ outcome: 'dead_lettered' })
  })

  test('an event that was published again is dead only when it dies again', () => {
    const dead = (second: number): BiographyFact => ({
      fact: 'dead_lettered',
      at: at(second),
      code: 'SB_DELIVERY_LIMIT',
      message: 'it came back too often',
    })
    const again: BiographyFact = {
      fact: 'replayed',
      at: at(10),
      dead_letter_id: 'd1',
      kind: 'message',
    }
    expect(biographyOf([received, dead(1), again])).toMatchObject({ outcome: 'pending' })
    expect(biographyOf([received, dead(1), again, dead(11)])).toMatchObject({
      outcome: 'dead_lettered',
    })
  })
})

describe('an event that was sent to a listener again', () => {
  const resent = (runId: string): BiographyFact => ({
    fact: 'resent',
    at: at(10),
    listener_id: 'shop',
    reason: 'republish',
    new_run: { chain_id: 'listener-shop', name: 'Listener: Shop', version: 2, run_id: runId },
  })

  test('has one more run, which says who asked for it and counts for the outcome', () => {
    const before = [received, matched('r1'), step(2, 'r1', 'a', 2), ended(3, 'r1')]
    const facts = [...before, resent('again')]
    for (const fact of facts) expect(biographyFactSchema.parse(fact)).toEqual(fact)
    const biography = biographyOf(facts)!
    expect(biographySchema.parse(biography)).toEqual(biography)
    expect(biography).toMatchObject({
      outcome: 'pending',
      runs: [
        { run_id: 'r1', status: 'succeeded' },
        {
          run_id: 'again',
          status: 'running',
          by_default: false,
          resent: { listener_id: 'shop', reason: 'republish' },
        },
      ],
    })
    expect(biography.runs[0]).not.toHaveProperty('resent')
    expect(biographyOf([...facts, ended(11, 'again')])?.outcome).toBe('succeeded')
    expect(biographyOf([...facts, ended(11, 'again', 'dead_lettered')])?.outcome).toBe(
      'dead_lettered',
    )
  })

  test('need not have matched anything: a test is for the listener alone', () => {
    expect(biographyOf([received, resent('test')])?.outcome).toBe('pending')
    expect(biographyOf([received, resent('test'), ended(11, 'test')])?.outcome).toBe('succeeded')
  })
})

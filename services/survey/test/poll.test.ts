import { parseInput } from '@signalbox/kit'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { DEMO_POLL } from '../src/demo-poll.ts'
import {
  type Answers,
  isAsked,
  nextQuestion,
  POLL_LIMITS,
  pollSchema,
  scoreOf,
} from '../src/poll.ts'

const choices = [
  { value: 'yes', label: 'Yes' },
  { value: 'no', label: 'No' },
]
const choice = (id: string, extra: object = {}) => ({
  id,
  type: 'choice',
  text: id,
  choices,
  ...extra,
})
const text = (id: string, extra: object = {}) => ({ id, type: 'text', text: id, ...extra })
const pollOf = (...questions: unknown[]) => ({ poll_key: 'p', title: 'P', questions })

function faultsOf(poll: unknown) {
  try {
    parseInput(pollSchema, poll, 'poll')
    return []
  } catch (error) {
    return (error as { details: { path: string; message: string }[] }).details
  }
}

test('the demo poll is a valid poll', () => {
  expect(pollSchema.parse(DEMO_POLL)).toEqual(DEMO_POLL)
})

describe('a poll that cannot work is refused with the place of the fault', () => {
  it.each([
    ['no question', pollOf(), 'questions'],
    ['an unknown type', pollOf({ id: 'a', type: 'colour', text: 'A' }), 'questions[0].type'],
    ['an unknown field', pollOf(text('a', { colour: 1 })), 'questions[0].colour'],
    ['the same id twice', pollOf(text('a'), text('a')), 'questions[1].id'],
    ['one choice', pollOf(choice('a', { choices: choices.slice(1) })), 'questions[0].choices'],
    [
      'the same choice twice',
      pollOf(choice('a', { choices: [...choices, choices[0]] })),
      'questions[0].choices[2].value',
    ],
    [
      'a condition on a later question',
      pollOf(text('a', { when: { question: 'b', equals: 'x' } }), text('b')),
      'questions[0].when.question',
    ],
    [
      'a condition on itself',
      pollOf(text('a', { when: { question: 'a', equals: 'x' } })),
      'questions[0].when.question',
    ],
    [
      'a condition that no choice fulfils',
      pollOf(choice('a'), text('b', { when: { question: 'a', equals: 'maybe' } })),
      'questions[1].when.equals',
    ],
    [
      'a condition of the wrong type',
      pollOf(
        { id: 'a', type: 'number', text: 'A' },
        text('b', { when: { question: 'a', in: ['1'] } }),
      ),
      'questions[1].when.in',
    ],
    [
      'min above max',
      pollOf({ id: 'a', type: 'number', text: 'A', min: 2, max: 1 }),
      'questions[0].min',
    ],
    [
      'too many questions',
      pollOf(...Array.from({ length: POLL_LIMITS.maxQuestions + 1 }, (_, n) => text(`q${n}`))),
      'questions',
    ],
    [
      'too much text altogether',
      pollOf(...Array.from({ length: 40 }, (_, n) => text(`q${n}`, { text: 'x'.repeat(1_000) }))),
      '',
    ],
  ])('%s', (_fault, poll, path) => {
    expect(faultsOf(poll).map((fault) => fault.path)).toEqual([path])
  })
})

test.each([
  [{ outdoors: 'daily', garden: 'yes', crop: 'flowers' }, 9],
  [{ outdoors: 'daily', garden: 'no' }, 4],
  [{ outdoors: 'weekly', garden: 'yes', crop: 'herbs' }, 6],
  [{ outdoors: 'rarely', garden: 'no', name: 'daily' }, 0],
  [{}, 0],
] as [Answers, number][])('%o scores %i', (answers, score) => {
  expect(scoreOf(DEMO_POLL, answers)).toBe(score)
})

test('a condition on a question that was passed over does not hold', () => {
  const poll = pollSchema.parse(
    pollOf(
      choice('a'),
      choice('b', { when: { question: 'a', equals: 'yes' } }),
      text('c', { when: { question: 'b', in: ['yes', 'no'] } }),
    ),
  )
  expect(nextQuestion(poll, { a: 'no' })).toBeUndefined()
  expect(nextQuestion(poll, { a: 'yes' })?.id).toBe('b')
  expect(nextQuestion(poll, { a: 'yes', b: 'no' })?.id).toBe('c')
})

test('every walk through every poll ends, and asks what its conditions ask, in order', () => {
  const yesNo = fc.constantFrom('yes', 'no')
  const anyPoll = fc
    .array(fc.option(fc.tuple(fc.nat(), fc.uniqueArray(yesNo, { minLength: 1 }))), {
      minLength: 1,
      maxLength: 8,
    })
    .map((conditions) =>
      pollSchema.parse(
        pollOf(
          ...conditions.map((condition, index) =>
            condition === null || index === 0
              ? choice(`q${index}`)
              : choice(`q${index}`, {
                  when: { question: `q${condition[0] % index}`, in: condition[1] },
                }),
          ),
        ),
      ),
    )
  fc.assert(
    fc.property(anyPoll, fc.array(yesNo, { minLength: 8, maxLength: 8 }), (poll, wishes) => {
      const answers: Answers = {}
      const asked: string[] = []
      for (let next = nextQuestion(poll, answers); next; next = nextQuestion(poll, answers)) {
        asked.push(next.id)
        answers[next.id] = wishes[asked.length - 1]!
        expect(asked.length).toBeLessThanOrEqual(poll.questions.length)
      }
      const due = poll.questions.filter((question) => isAsked(question, answers))
      expect(asked).toEqual(due.map(({ id }) => id))
    }),
  )
})

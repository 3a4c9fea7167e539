import { expect, test } from 'vitest'
import { readAnswer } from '../src/answer.ts'
import { type Question, questionSchema } from '../src/poll.ts'

const question = (definition: object): Question =>
  questionSchema.parse({ id: 'q', text: 'Q', ...definition })
const CHOICE = question({
  type: 'choice',
  choices: [
    { value: 'a', label: 'A' },
    { value: 'b', label: 'B' },
  ],
})
const TEXT = question({ type: 'text', max_length: 5 })
const NUMBER = question({ type: 'number', min: 0, max: 10 })
const MSISDN = question({ type: 'msisdn' })

test.each([
  [CHOICE, 'b', 'b'],
  [TEXT, '  Zoë ', 'Zoë'],
  [NUMBER, 7.5, 7.5],
  [NUMBER, ' 7 ', 7],
  [MSISDN, '+27 (82) 555-0100', '+27825550100'],
  [MSISDN, '0027825550100', '+27825550100'],
  [MSISDN, '27825550100', '+27825550100'],
] as [Question, unknown, unknown][])('%o takes %o as %o', (asked, answer, kept) => {
  expect(readAnswer(asked, answer)).toBe(kept)
})

test.each([
  [CHOICE, 'c'],
  [CHOICE, 'toString'],
  [CHOICE, null],
  [TEXT, ''],
  [TEXT, '   '],
  [TEXT, 'sixsix'],
  [TEXT, { length: 3 }],
  [NUMBER, 11],
  [NUMBER, '-1'],
  [NUMBER, 'seven'],
  [NUMBER, '0x10'],
  [NUMBER, ''],
  [NUMBER, Number.NaN],
  [MSISDN, '0825550100'],
  [MSISDN, '+12'],
  [MSISDN, 'call me'],
  [MSISDN, undefined],
] as [Question, unknown][])('%o refuses %o at the path answer', (asked, answer) => {
  expect(() => readAnswer(asked, answer)).toThrow(
    expect.objectContaining({
      code: 'SB_INVALID_INPUT',
      details: [expect.objectContaining({ path: 'answer' })],
    }),
  )
})

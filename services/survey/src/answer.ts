/** Reading an answer: what each type of question accepts, and how it is kept. */
import { msisdnSchema } from '@signalbox/contracts'
import { parseInput } from '@signalbox/kit'
import { z } from 'zod'
import type { AnswerValue, Question } from './poll.ts'

/**
 * The answer as it is kept: text trimmed, a number as a number (`"7"` will do), a msisdn with its plus.
 * Throws `InvalidInputError` at the path `answer`.
 */
export function readAnswer(question: Question, answer: unknown): AnswerValue {
  return parseInput(z.object({ answer: answerSchema(question) }), { answer }, 'answer').answer
}

function answerSchema(question: Question): z.ZodType<AnswerValue> {
  switch (question.type) {
    case 'choice':
      return z.enum(question.choices.map(({ value }) => value))
    case 'text':
      return z
        .string()
        .trim()
        .min(1, 'must not be empty')
        .max(question.max_length, `must be at most ${question.max_length} characters`)
    case 'number':
      return z
        .union([z.number(), z.string().trim().regex(NUMBER, 'must be a number').transform(Number)])
        .pipe(
          z
            .number()
            .min(question.min ?? -Infinity)
            .max(question.max ?? Infinity),
        )
    case 'msisdn':
      // People write numbers in groups, and 00 for the plus: "+27 (82) 555-0100", "0027 82 555 0100".
      return z
        .string()
        .transform((text) => text.replace(/[\s().-]/g, '').replace(/^00/, '+'))
        .pipe(z.string().regex(/^\+?[1-9]/, 'must begin with the country code, as +27 does'))
        .pipe(msisdnSchema)
  }
}

const NUMBER = /^[+-]?\d{1,15}(\.\d{1,15})?$/

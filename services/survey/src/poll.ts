/**
 * The poll: questions in order, some of them asked only when an earlier answer says so.
 *
 * A poll is an account's own document, checked when it is saved. Who answers it carries a copy of it (`session.ts`), so
 * a poll that is saved anew changes nothing for those who have begun.
 */
import { keySchema, nameSchema } from '@signalbox/contracts'
import { z } from 'zod'

export const POLL_LIMITS = {
  maxQuestions: 50,
  maxChoices: 30,
  maxTextChars: 1_000,
  maxTitleChars: 200,
  /** A poll as JSON: each session carries one. */
  maxPollBytes: 32 * 1024,
} as const

/** Asked only when an earlier question was asked and answered so. */
const conditionSchema = z.union([
  z.strictObject({ question: nameSchema, equals: z.union([z.string(), z.number()]) }),
  z.strictObject({
    question: nameSchema,
    in: z
      .array(z.union([z.string(), z.number()]))
      .min(1)
      .max(POLL_LIMITS.maxChoices),
  }),
])

const choiceSchema = z.strictObject({
  value: nameSchema,
  label: z.string().min(1).max(POLL_LIMITS.maxTitleChars),
  /** Added to the session's score; default 0. */
  score: z.int().min(-1_000_000).max(1_000_000).default(0),
})

const questionShape = {
  id: nameSchema,
  text: z.string().min(1).max(POLL_LIMITS.maxTextChars),
  when: conditionSchema.exactOptional(),
}

export const questionSchema = z.discriminatedUnion('type', [
  z.strictObject({
    ...questionShape,
    type: z.literal('choice'),
    choices: z.array(choiceSchema).min(2).max(POLL_LIMITS.maxChoices),
  }),
  z.strictObject({
    ...questionShape,
    type: z.literal('text'),
    max_length: z.int().min(1).max(POLL_LIMITS.maxTextChars).default(200),
  }),
  z.strictObject({
    ...questionShape,
    type: z.literal('number'),
    min: z.number().exactOptional(),
    max: z.number().exactOptional(),
  }),
  z.strictObject({ ...questionShape, type: z.literal('msisdn') }),
])

export const pollSchema = z
  .strictObject({
    poll_key: keySchema,
    title: z.string().min(1).max(POLL_LIMITS.maxTitleChars),
    questions: z
      .array(questionSchema)
      .min(1, 'must have at least one question')
      .max(POLL_LIMITS.maxQuestions),
  })
  .superRefine((poll, context) => {
    const say = (message: string, ...path: PropertyKey[]) =>
      context.addIssue({ code: 'custom', message, path: ['questions', ...path] })
    poll.questions.forEach((question, index) => {
      const earlier = poll.questions.slice(0, index)
      if (earlier.some(({ id }) => id === question.id)) {
        say(`there is an earlier question "${question.id}"`, index, 'id')
      }
      if (question.type === 'choice') checkChoices(question, index, say)
      if (question.type === 'number' && (question.min ?? -Infinity) > (question.max ?? Infinity)) {
        say('must not be more than max', index, 'min')
      }
      if (question.when) checkCondition(question.when, earlier, index, say)
    })
    if (Buffer.byteLength(JSON.stringify(poll)) > POLL_LIMITS.maxPollBytes) {
      context.addIssue({
        code: 'custom',
        message: `must be at most ${POLL_LIMITS.maxPollBytes} bytes as JSON`,
      })
    }
  })

export type Poll = z.infer<typeof pollSchema>
export type Question = z.infer<typeof questionSchema>
export type Condition = z.infer<typeof conditionSchema>
type ChoiceQuestion = Extract<Question, { type: 'choice' }>
export type AnswerValue = string | number
/** By question id. */
export type Answers = { [questionId: string]: AnswerValue }

/** The first question that is neither answered nor passed over, or undefined: the poll is answered. */
export function nextQuestion(poll: Poll, answers: Answers): Question | undefined {
  return poll.questions.find(
    (question) => answers[question.id] === undefined && isAsked(question, answers),
  )
}

/** A condition on a question that was itself passed over does not hold. */
export function isAsked(question: Question, answers: Answers): boolean {
  if (!question.when) return true
  const answer = answers[question.when.question]
  return answer !== undefined && acceptedAnswers(question.when).includes(answer)
}

/** The sum over the chosen choices; other questions score nothing. */
export function scoreOf(poll: Poll, answers: Answers): number {
  return poll.questions
    .flatMap((question) => (question.type === 'choice' ? [question] : []))
    .map(({ id, choices }) => choices.find(({ value }) => value === answers[id])?.score ?? 0)
    .reduce((sum, score) => sum + score, 0)
}

const acceptedAnswers = (when: Condition): readonly AnswerValue[] =>
  'in' in when ? when.in : [when.equals]

type Say = (message: string, ...path: PropertyKey[]) => void

function checkChoices(question: ChoiceQuestion, index: number, say: Say): void {
  const values = question.choices.map(({ value }) => value)
  values.forEach((value, choice) => {
    if (values.indexOf(value) < choice) {
      say(`there is an earlier choice "${value}"`, index, 'choices', choice, 'value')
    }
  })
}

function checkCondition(
  when: Condition,
  earlier: readonly Question[],
  index: number,
  say: Say,
): void {
  const asked = earlier.find(({ id }) => id === when.question)
  if (!asked) {
    say(`there is no earlier question "${when.question}"`, index, 'when', 'question')
    return
  }
  const field = 'in' in when ? 'in' : 'equals'
  for (const answer of acceptedAnswers(when)) {
    if (!canBeAnswered(asked, answer)) {
      say(`"${answer}" is no possible answer to "${asked.id}"`, index, 'when', field)
    }
  }
}

function canBeAnswered(question: Question, answer: AnswerValue): boolean {
  if (question.type === 'choice') return question.choices.some(({ value }) => value === answer)
  return typeof answer === (question.type === 'number' ? 'number' : 'string')
}

/**
 * The session: one person's way through one poll. Pure: a change takes a session and gives the next one with what it
 * announces, in order.
 *
 * | change       | flow               | steps                                              | and             |
 * | ------------ | ------------------ | -------------------------------------------------- | --------------- |
 * | begin        | inactive -> active | the first inactive -> active                       |                 |
 * | answer       |                    | it active -> completed, the next inactive -> active |                 |
 * | last answer  | active -> completed | it active -> completed                            | `poll_complete` |
 * | exit         | active -> exited   | the current one active -> inactive                 |                 |
 *
 * A question that is passed over stays inactive and is never announced.
 */
import { type JsonObject, keySchema, timestampSchema } from '@signalbox/contracts'
import { ConflictError, InvalidInputError } from '@signalbox/kit'
import { z } from 'zod'
import { readAnswer } from './answer.ts'
import {
  type Answers,
  type AnswerValue,
  nextQuestion,
  type Poll,
  pollSchema,
  type Question,
  scoreOf,
} from './poll.ts'

/** All answers of a session as JSON; `poll_complete` carries them, and a message has its bound. */
const MAX_ANSWERS_BYTES = 32 * 1024

export const sessionSchema = z.strictObject({
  session_id: keySchema,
  person_key: keySchema,
  /** The person's number: as the session was begun with, or as answered. */
  msisdn: z.string().exactOptional(),
  state: z.enum(['active', 'completed', 'exited']),
  /** As it was when the session began. */
  poll: pollSchema,
  answers: z.record(z.string(), z.union([z.string(), z.number()])),
  started_at: timestampSchema,
  updated_at: timestampSchema,
})

export type Session = z.infer<typeof sessionSchema>

/** What a change announces; who publishes it adds identity, time, conversation and person. */
export interface Announcement {
  event_type: 'flow_state_change' | 'step_state_change' | 'poll_complete'
  event_data: JsonObject
}

export interface SessionChange {
  session: Session
  announcements: Announcement[]
}

export interface Beginning {
  sessionId: string
  personKey: string
  msisdn?: string
}

export function beginSession(poll: Poll, beginning: Beginning, now: string): SessionChange {
  const session: Session = {
    session_id: beginning.sessionId,
    person_key: beginning.personKey,
    ...(beginning.msisdn === undefined ? {} : { msisdn: beginning.msisdn }),
    state: 'active',
    poll,
    answers: {},
    started_at: now,
    updated_at: now,
  }
  return { session, announcements: [flowIs(session, 'inactive'), ...nextIsActive(session)] }
}

/**
 * The same answer again changes nothing, also when the session has ended: whoever did not hear our reply may repeat it.
 * Throws `InvalidInputError` at `question` or `answer`, `ConflictError` when it was answered otherwise or has ended.
 */
export function answerSession(
  session: Session,
  { question: questionId, answer }: { question: string; answer: unknown },
  now: string,
): SessionChange {
  const question = session.poll.questions.find(({ id }) => id === questionId)
  if (!question) throw wrongQuestion(`there is no question "${questionId}" in this poll`)
  const given = session.answers[questionId]
  if (given === undefined) requireCurrent(session, questionId)
  const value = readAnswer(question, answer)
  if (given === value) return { session, announcements: [] }
  if (given !== undefined) {
    throw new ConflictError(`the question "${questionId}" was answered otherwise already`)
  }

  const answers: Answers = { ...session.answers, [questionId]: value }
  requireRoom(answers)
  const isLast = nextQuestion(session.poll, answers) === undefined
  const next: Session = {
    ...session,
    ...(question.type === 'msisdn' ? { msisdn: String(value) } : {}),
    answers,
    state: isLast ? 'completed' : 'active',
    updated_at: now,
  }
  return {
    session: next,
    announcements: [
      stepIs(next, questionId, 'completed', 'active'),
      ...(isLast ? [flowIs(next, 'active'), pollComplete(next)] : nextIsActive(next)),
    ],
  }
}

/** Leaves the poll unfinished; one that has ended already stays as it is. */
export function exitSession(session: Session, now: string): SessionChange {
  const current = currentQuestion(session)
  if (!current) return { session, announcements: [] }
  const next: Session = { ...session, state: 'exited', updated_at: now }
  return {
    session: next,
    announcements: [stepIs(next, current.id, 'inactive', 'active'), flowIs(next, 'active')],
  }
}

/** Undefined: the session has ended. */
export function currentQuestion(session: Session): Question | undefined {
  return session.state === 'active' ? nextQuestion(session.poll, session.answers) : undefined
}

/** What a person sees: the question without the scores of its choices, and each step's state. */
export function sessionView(session: Session) {
  const { session_id, person_key, state, poll, answers } = session
  const current = currentQuestion(session)
  return {
    session_id,
    person_key,
    poll: { poll_key: poll.poll_key, title: poll.title },
    state,
    question: current ? questionView(current) : null,
    steps: poll.questions.map((question) => stepView(session, question, question === current)),
    answers,
    ...(state === 'completed' ? { score: scoreOf(poll, answers) } : {}),
  }
}

function questionView({ when: _when, ...question }: Question) {
  if (question.type !== 'choice') return question
  return { ...question, choices: question.choices.map(({ value, label }) => ({ value, label })) }
}

function stepView(session: Session, question: Question, isCurrent: boolean) {
  const { id, text } = question
  const answer = session.answers[id]
  return {
    id: stepId(session, id),
    identifier: id,
    text,
    state: answer !== undefined ? 'completed' : isCurrent ? 'active' : 'inactive',
    /** As people read it: a choice by its label. */
    ...(answer === undefined ? {} : { answer: answerText(question, answer) }),
  }
}

function answerText(question: Question, answer: AnswerValue): string {
  const choice =
    question.type === 'choice' ? question.choices.find(({ value }) => value === answer) : undefined
  return choice?.label ?? String(answer)
}

function flowIs(session: Session, previousState: string): Announcement {
  return {
    event_type: 'flow_state_change',
    event_data: {
      id: session.session_id,
      identifier: session.poll.poll_key,
      state: session.state,
      previous_state: previousState,
    },
  }
}

function stepIs(
  session: Session,
  questionId: string,
  state: string,
  previousState: string,
): Announcement {
  return {
    event_type: 'step_state_change',
    event_data: {
      id: stepId(session, questionId),
      identifier: questionId,
      state,
      previous_state: previousState,
    },
  }
}

function nextIsActive(session: Session): Announcement[] {
  const next = currentQuestion(session)
  return next ? [stepIs(session, next.id, 'active', 'inactive')] : []
}

/** Name and number stand at the top, where a chain's templates look for them, when they are known. */
function pollComplete(session: Session): Announcement {
  const { poll, answers, session_id, msisdn } = session
  const name = answers.name
  return {
    event_type: 'poll_complete',
    event_data: {
      poll: poll.poll_key,
      session: session_id,
      score: scoreOf(poll, answers),
      answers,
      ...(typeof name === 'string' ? { name } : {}),
      ...(msisdn === undefined ? {} : { msisdn }),
    },
  }
}

const stepId = (session: Session, questionId: string): string =>
  `${session.session_id}.${questionId}`

function requireCurrent(session: Session, questionId: string): void {
  const current = currentQuestion(session)
  if (!current) throw new ConflictError(`the session has ended: it is ${session.state}`)
  if (current.id !== questionId) {
    throw wrongQuestion(`is not asked now; the question is "${current.id}"`)
  }
}

function requireRoom(answers: Answers): void {
  if (Buffer.byteLength(JSON.stringify(answers)) <= MAX_ANSWERS_BYTES) return
  throw new InvalidInputError('the answers of this session are too long together', {
    code: 'SB_TOO_LARGE',
    details: [{ path: 'answer', message: `all answers may have ${MAX_ANSWERS_BYTES} bytes` }],
  })
}

function wrongQuestion(message: string): InvalidInputError {
  return new InvalidInputError(`question: ${message}`, { details: [{ path: 'question', message }] })
}

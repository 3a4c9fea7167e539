import { LIMITS, STATE_CHANGE_EVENTS } from '@signalbox/contracts'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { DEMO_POLL } from '../src/demo-poll.ts'
import { pollSchema } from '../src/poll.ts'
import {
  type Announcement,
  answerSession,
  beginSession,
  currentQuestion,
  exitSession,
  type Session,
  sessionView,
} from '../src/session.ts'

const NOW = '2026-03-01T09:00:00.000Z'
const LATER = '2026-03-01T09:01:00.000Z'

const begin = () => beginSession(DEMO_POLL, { sessionId: 's1', personKey: 'p1' }, NOW)
const stepAfter = (session: Session, ...answers: [string, unknown][]) =>
  answers.reduce(
    (last, [question, answer]) => answerSession(last.session, { question, answer }, LATER),
    { session, announcements: [] as Announcement[] },
  )

describe('a session', () => {
  it('begins with its flow and its first step', () => {
    expect(begin().announcements).toEqual([
      {
        event_type: 'flow_state_change',
        event_data: {
          id: 's1',
          identifier: 'spring-poll',
          state: 'active',
          previous_state: 'inactive',
        },
      },
      {
        event_type: 'step_state_change',
        event_data: {
          id: 's1.name',
          identifier: 'name',
          state: 'active',
          previous_state: 'inactive',
        },
      },
    ])
  })

  it('passes over a question whose condition does not hold, without a word', () => {
    const { session, announcements } = stepAfter(
      begin().session,
      ['name', 'Thandi'],
      ['outdoors', 'daily'],
      ['garden', 'no'],
    )
    expect(currentQuestion(session)?.id).toBe('msisdn')
    expect(announcements.map(({ event_data }) => event_data.id)).toEqual(['s1.garden', 's1.msisdn'])
  })

  it('ends with what a chain needs at the top of the event', () => {
    const { session, announcements } = stepAfter(
      begin().session,
      ['name', 'Thandi'],
      ['outdoors', 'daily'],
      ['garden', 'yes'],
      ['crop', 'herbs'],
      ['msisdn', '27825550100'],
    )
    expect(session).toMatchObject({ state: 'completed', msisdn: '+27825550100', updated_at: LATER })
    expect(announcements.map(({ event_type }) => event_type)).toEqual([
      'step_state_change',
      'flow_state_change',
      'poll_complete',
    ])
    expect(announcements[2]!.event_data).toEqual({
      poll: 'spring-poll',
      session: 's1',
      score: 8,
      answers: {
        name: 'Thandi',
        outdoors: 'daily',
        garden: 'yes',
        crop: 'herbs',
        msisdn: '+27825550100',
      },
      name: 'Thandi',
      msisdn: '+27825550100',
    })
  })

  it('takes the same answer again without a change, also after the end', () => {
    const { session } = stepAfter(begin().session, ['name', 'Thandi'])
    const again = answerSession(session, { question: 'name', answer: ' Thandi ' }, LATER)
    expect(again).toEqual({ session, announcements: [] })
    const exited = exitSession(session, LATER).session
    expect(answerSession(exited, { question: 'name', answer: 'Thandi' }, LATER).session).toBe(
      exited,
    )
  })

  it('refuses another answer to an answered question', () => {
    const { session } = stepAfter(begin().session, ['name', 'Thandi'])
    expect(() => stepAfter(session, ['name', 'Sipho'])).toThrow(
      expect.objectContaining({ code: 'SB_CONFLICT' }),
    )
  })

  it.each(['garden', 'crop', 'colour'])(
    'refuses an answer to %s, which is not asked now',
    (question) => {
      expect(() => stepAfter(begin().session, [question, 'yes'])).toThrow(
        expect.objectContaining({
          code: 'SB_INVALID_INPUT',
          details: [expect.objectContaining({ path: 'question' })],
        }),
      )
    },
  )

  it('refuses an answer when it has ended', () => {
    const { session } = exitSession(begin().session, LATER)
    expect(() => stepAfter(session, ['name', 'Thandi'])).toThrow(
      expect.objectContaining({ code: 'SB_CONFLICT' }),
    )
  })

  it('shows nobody the scores of the choices', () => {
    const { session } = stepAfter(begin().session, ['name', 'Thandi'])
    expect(sessionView(session)).toMatchObject({ question: { id: 'outdoors' }, state: 'active' })
    expect(JSON.stringify(sessionView(session))).not.toContain('score')
  })

  it('announces nothing larger than a message may be, however much is answered', () => {
    const questions = Array.from({ length: 50 }, (_, n) => ({
      id: `q${n}`,
      type: 'text',
      text: 'Q',
      max_length: 1_000,
    }))
    const poll = pollSchema.parse({ poll_key: 'long', title: 'Long', questions })
    let { session } = beginSession(poll, { sessionId: 's1', personKey: 'p1' }, NOW)
    const fill = () => {
      for (const { id } of questions) {
        session = answerSession(
          session,
          { question: id, answer: '\u0001'.repeat(1_000) },
          NOW,
        ).session
      }
    }
    expect(fill).toThrow(expect.objectContaining({ code: 'SB_TOO_LARGE' }))
    expect(Buffer.byteLength(JSON.stringify(session.answers))).toBeGreaterThan(20_000)
    expect(Buffer.byteLength(JSON.stringify(session))).toBeLessThan(LIMITS.maxMessageBytes / 2)
  })
})

test('on every way through, each change goes on from the state that was announced before it', () => {
  const move = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('first', 'last') },
    { weight: 1, arbitrary: fc.constant('exit') },
  )
  fc.assert(
    fc.property(fc.array(move, { maxLength: 8 }), (moves) => {
      let { session, announcements } = begin()
      const states = new Map<unknown, unknown>()
      const follow = () => {
        for (const { event_type, event_data } of announcements) {
          if (event_type === 'poll_complete') continue
          expect(STATE_CHANGE_EVENTS[event_type].schema.parse(event_data)).toEqual(event_data)
          expect(event_data.previous_state).toBe(states.get(event_data.id) ?? 'inactive')
          expect(event_data.state).not.toBe(event_data.previous_state)
          states.set(event_data.id, event_data.state)
        }
      }
      follow()
      for (const choice of moves) {
        const question = currentQuestion(session)
        ;({ session, announcements } =
          choice === 'exit' || !question
            ? exitSession(session, LATER)
            : answerSession(
                session,
                { question: question.id, answer: sample(question, choice) },
                LATER,
              ))
        follow()
      }
      const view = sessionView(session)
      expect(states.get('s1')).toBe(view.state)
      for (const step of view.steps) expect(states.get(step.id) ?? 'inactive').toBe(step.state)
    }),
  )
})

function sample(question: NonNullable<ReturnType<typeof currentQuestion>>, which: string): unknown {
  if (question.type === 'choice') return question.choices.at(which === 'first' ? 0 : -1)!.value
  return question.type === 'msisdn' ? '+27825550100' : 'Thandi'
}

import { AppError, UnavailableError } from '@signalbox/kit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answerFrame, type ConnectionState, decide, refusal, success } from '../src/protocol.ts'

const ownState: ConnectionState = {
  claims: { sub: 'p1' },
  subscriptions: new Set<string>(),
  maxSubscriptions: 2,
}
const request = (rest: object = {}) =>
  JSON.stringify({
    action: 'subscribe_state_change',
    request_id: 7,
    data: { person_key: 'p1', entity: 'flow' },
    ...rest,
  })
const answerTo = (text: string | undefined, state = ownState): string => {
  const decision = decide(text, state)
  if (decision.kind !== 'answer') throw new Error(`expected an answer, got ${decision.kind}`)
  return answerFrame(decision.answer)
}

describe('a request that is in order', () => {
  it('subscribes, whatever extra fields it has', () => {
    expect(decide(request({ extra: true }), ownState)).toEqual({
      kind: 'subscribe',
      requestId: 7,
      selector: { kind: 'state', person_key: 'p1', entity: 'flow' },
      filter: { kind: 'state', entity: 'flow' },
      wishes: { resume: false, snapshot: false },
    })
  })

  it('unsubscribes, also from what was never subscribed to', () => {
    expect(decide(request({ action: 'unsubscribe_state_change' }), ownState)).toMatchObject({
      kind: 'unsubscribe',
      requestId: 7,
    })
  })

  it('is answered at once when the subscription is there already, even at the limit', () => {
    const state = {
      ...ownState,
      subscriptions: new Set(['flow p1', 'step p1']),
    }
    expect(answerTo(request(), state)).toBe('{"request_id":7,"errors":[],"status":200}')
  })

  it('keeps a request_id that is a string', () => {
    expect(decide(request({ request_id: 'ä"1' }), ownState)).toMatchObject({ requestId: 'ä"1' })
    expect(answerFrame(success('ä"1'))).toBe('{"request_id":"ä\\"1","errors":[],"status":200}')
  })
})

describe('a request that is refused', () => {
  const schemaFault = (path: string) => ({ status: 400, code: 'SB_INVALID_INPUT', path })
  it.each([
    ['text that is not JSON', 'nonsense', null, { status: 400, code: 'SB_INVALID_JSON' }],
    ['an empty frame', '', null, { status: 400, code: 'SB_INVALID_JSON' }],
    ['a binary frame', undefined, null, { status: 400, code: 'SB_INVALID_INPUT' }],
    ['an array', '[]', null, { status: 400, code: 'SB_INVALID_INPUT' }],
    ['null', 'null', null, { status: 400, code: 'SB_INVALID_INPUT' }],
    ['no action', request({ action: undefined }), 7, schemaFault('action')],
    [
      'an unknown action',
      request({ action: 'dance' }),
      7,
      { status: 404, code: 'SB_UNKNOWN_ACTION', path: 'action' },
    ],
    [
      "an action of an object's own making",
      request({ action: 'constructor' }),
      7,
      { status: 404, code: 'SB_UNKNOWN_ACTION', path: 'action' },
    ],
    ['no request_id', request({ request_id: undefined }), null, schemaFault('request_id')],
    [
      'a request_id that is an object',
      request({ request_id: {} }),
      null,
      schemaFault('request_id'),
    ],
    ['a request_id that is empty', request({ request_id: '' }), null, schemaFault('request_id')],
    ['no data', request({ data: undefined }), 7, schemaFault('data')],
    [
      'an unknown entity',
      request({ data: { person_key: 'p1', entity: 'poll' } }),
      7,
      schemaFault('data.entity'),
    ],
    [
      'a person_key that is a number',
      request({ data: { person_key: 1, entity: 'flow' } }),
      7,
      schemaFault('data.person_key'),
    ],
    [
      'another person than the token names',
      request({ data: { person_key: 'p2', entity: 'flow' } }),
      7,
      { status: 403, code: 'SB_FORBIDDEN', path: 'data.person_key' },
    ],
  ])('%s', (_what, text, requestId, { status, ...error }) => {
    expect(JSON.parse(answerTo(text))).toEqual({
      request_id: requestId,
      errors: [{ ...error, message: expect.stringMatching(/\w/) as string }],
      status,
    })
  })

  it('one subscription too many', () => {
    const state = { ...ownState, subscriptions: new Set(['flow p8', 'flow p9']) }
    expect(answerTo(request(), state)).toBe(
      '{"request_id":7,"errors":[{"code":"SB_TOO_MANY","message":"a connection has at most 2 subscriptions"}],"status":429}',
    )
  })

  it('names every field that is wrong', () => {
    const answer = JSON.parse(answerTo(request({ data: {} }))) as { errors: { path: string }[] }
    expect(answer.errors.map(({ path }) => path)).toEqual(['data.person_key', 'data.entity'])
  })
})

describe('an error while a request is carried out', () => {
  it('is answered with its code and status', () => {
    const away = new UnavailableError('Redis cannot be reached', { code: 'SB_STORE_UNAVAILABLE' })
    expect(refusal(7, away)).toEqual({
      request_id: 7,
      errors: [{ code: 'SB_STORE_UNAVAILABLE', message: 'Redis cannot be reached' }],
      status: 503,
    })
  })

  it.each([
    ['a fault', new Error('secret')],
    ['of another part', new AppError('SB_CONFIG', 'secret', { retryable: false })],
  ])('shows nothing of itself when it is %s', (_what, error) => {
    const answer = refusal(7, error)
    expect(answer).toMatchObject({ status: 500, errors: [{ code: 'SB_INTERNAL' }] })
    expect(JSON.stringify(answer)).not.toContain('secret')
  })

  it('answers a bounded number of field errors', () => {
    const details = Array.from({ length: 50 }, (_, index) => ({ path: `a${index}`, message: 'x' }))
    const error = new AppError('SB_INVALID_INPUT', 'bad', { retryable: false, details })
    expect(refusal(7, error).errors).toHaveLength(20)
  })
})

describe('who may see whom', () => {
  const key = fc.stringMatching(/^[a-z0-9]{1,4}$/)
  it("a person's token sees that person alone, the account's sees everybody", () => {
    fc.assert(
      fc.property(
        key,
        fc.option(key, { nil: undefined }),
        fc.boolean(),
        (person, sub, isAccount) => {
          fc.pre(isAccount || sub !== undefined)
          const claims = { sub, ...(isAccount ? { scope: 'account' as const } : {}) }
          for (const action of ['subscribe_state_change', 'unsubscribe_state_change']) {
            const text = request({ action, data: { person_key: person, entity: 'step' } })
            const decision = decide(text, { ...ownState, claims })
            const isAllowed = isAccount || sub === person
            expect(decision.kind !== 'answer').toBe(isAllowed)
          }
        },
      ),
    )
  })

  it('no frame, however odd, throws or goes unanswered', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(JSON.parse(answerTo(text))).toMatchObject({ errors: [{}] })
      }),
    )
  })
})

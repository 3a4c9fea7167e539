import { createTokenVerifier } from '@signalbox/kit'
import { waitFor } from '@signalbox/testkit'
import type { InjectOptions, LightMyRequestResponse } from 'fastify'
import { describe, expect, it } from 'vitest'
import { ADMIN, startSurvey, TOKEN_SECRET } from './fixture.ts'

type RunningSurvey = Awaited<ReturnType<typeof startSurvey>>

const SESSIONS = '/v1/polls/spring-poll/sessions'
const pathOf = (sessionId: string) => `${SESSIONS}/${sessionId}`

/** A browser: it keeps its cookie. */
function browserOf({ app }: RunningSurvey, cookie?: string) {
  let own = cookie
  return async (request: InjectOptions): Promise<LightMyRequestResponse> => {
    const response = await app.inject({
      ...request,
      headers: { ...request.headers, ...(own === undefined ? {} : { cookie: own }) },
    })
    own = String(response.headers['set-cookie'] ?? own).split(';')[0]
    return response
  }
}

const beginAs = async (browser: ReturnType<typeof browserOf>) =>
  (await browser({ method: 'POST', url: SESSIONS, payload: {} })).json<{
    session_id: string
    person_key: string
  }>()

const answer = (sessionId: string, question: string, value: unknown): InjectOptions => ({
  method: 'POST',
  url: `${pathOf(sessionId)}/answers`,
  payload: { question, answer: value },
})

describe('polls over HTTP', () => {
  it('are saved, shown and listed for the admin key alone', async () => {
    await using survey = await startSurvey()
    const poll = { title: 'Tea', questions: [{ id: 'a', type: 'text', text: 'A', max_length: 9 }] }
    const url = '/v1/polls/tea'
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: 'Basic x' }]) {
      const refused = await survey.app.inject({ method: 'PUT', url, payload: poll, headers })
      expect(refused.statusCode).toBe(401)
    }
    const saved = await survey.app.inject({ method: 'PUT', url, payload: poll, headers: ADMIN })
    expect(saved.json()).toEqual({ poll_key: 'tea', ...poll })
    const shown = await survey.app.inject({ url, headers: ADMIN })
    expect(shown.json()).toEqual({ poll_key: 'tea', ...poll })
    const listed = await survey.app.inject({ url: '/v1/polls', headers: ADMIN })
    expect(listed.json()).toMatchObject({
      polls: [{ poll_key: 'spring-poll' }, { poll_key: 'tea' }],
    })
  })

  it('are refused with the place of each fault', async () => {
    await using survey = await startSurvey()
    const refused = await survey.app.inject({
      method: 'PUT',
      url: '/v1/polls/tea',
      payload: { poll_key: 'coffee', title: 'T', questions: [{ id: 'a', type: 'text' }] },
      headers: ADMIN,
    })
    expect(refused.statusCode).toBe(400)
    expect(refused.json()).toMatchObject({
      code: 'SB_INVALID_INPUT',
      errors: [{ path: 'questions[0].text' }],
    })
  })
})

describe('answering over HTTP', () => {
  it('leads to the events of the whole poll, once each, in order', async () => {
    await using survey = await startSurvey()
    const browser = browserOf(survey)
    const { session_id, person_key } = await beginAs(browser)
    for (const [question, value] of [
      ['name', 'Thandi'],
      ['outdoors', 'daily'],
      ['garden', 'no'],
      ['msisdn', '+27825550100'],
    ]) {
      const request = answer(session_id, question!, value)
      expect((await browser(request)).statusCode).toBe(200)
      expect((await browser(request)).statusCode, 'the same answer again').toBe(200)
    }
    await waitFor(() => survey.events.some(({ event_type }) => event_type === 'poll_complete'), {
      what: 'poll_complete',
    })
    const changes = survey.events.map(({ event_data: { identifier, state } }) => [
      identifier,
      state,
    ])
    expect(changes).toEqual([
      ['spring-poll', 'active'],
      ['name', 'active'],
      ['name', 'completed'],
      ['outdoors', 'active'],
      ['outdoors', 'completed'],
      ['garden', 'active'],
      ['garden', 'completed'],
      ['msisdn', 'active'],
      ['msisdn', 'completed'],
      ['spring-poll', 'completed'],
      [undefined, undefined],
    ])
    for (const event of survey.events) {
      expect(event).toMatchObject({
        account_key: 'demo',
        conversation_key: 'spring-poll',
        conversation_type: 'poll',
        person_key,
      })
    }
  })

  it('resumes the active session, whatever is sent with the second beginning', async () => {
    await using survey = await startSurvey()
    const browser = browserOf(survey)
    const { session_id } = await beginAs(browser)
    await browser(answer(session_id, 'name', 'Thandi'))
    const again = await browser({
      method: 'POST',
      url: SESSIONS,
      payload: { msisdn: '+27825550100' },
    })
    expect(again.statusCode).toBe(200)
    expect(again.json()).toMatchObject({ session_id, question: { id: 'outdoors' } })
  })

  it.each([
    ['an unknown question', { question: 'colour', answer: 'x' }, 400, 'question'],
    ['a question that is not asked now', { question: 'garden', answer: 'yes' }, 400, 'question'],
    ['an invalid answer', { question: 'name', answer: '' }, 400, 'answer'],
    ['no question', { answer: 'x' }, 400, 'question'],
    ['a field too many', { question: 'name', answer: 'x', score: 99 }, 400, 'score'],
  ])('answers %s with the place of the fault', async (_fault, payload, status, path) => {
    await using survey = await startSurvey()
    const browser = browserOf(survey)
    const { session_id } = await beginAs(browser)
    const refused = await browser({ method: 'POST', url: `${pathOf(session_id)}/answers`, payload })
    expect(refused.statusCode).toBe(status)
    expect(refused.json()).toMatchObject({ errors: [{ path }] })
  })

  it('answers 409 when the session has ended', async () => {
    await using survey = await startSurvey()
    const browser = browserOf(survey)
    const { session_id } = await beginAs(browser)
    const exited = await browser({ method: 'POST', url: `${pathOf(session_id)}/exit` })
    expect(exited.json()).toMatchObject({ state: 'exited', question: null })
    expect((await browser(answer(session_id, 'name', 'Thandi'))).statusCode).toBe(409)
  })

  it('answers 413 to a body that is too large and 404 for a poll that is not there', async () => {
    await using survey = await startSurvey()
    const browser = browserOf(survey)
    const { session_id } = await beginAs(browser)
    expect((await browser(answer(session_id, 'name', 'x'.repeat(70_000)))).statusCode).toBe(413)
    const unknown = await browser({ method: 'POST', url: '/v1/polls/none/sessions', payload: {} })
    expect(unknown.statusCode).toBe(404)
  })

  it('is open to the admin key for any person that it names', async () => {
    await using survey = await startSurvey()
    const begin = (payload: object) =>
      survey.app.inject({ method: 'POST', url: SESSIONS, payload, headers: ADMIN })
    expect((await begin({})).json()).toMatchObject({ errors: [{ path: 'person_key' }] })
    const begun = await begin({ person_key: 'p1', msisdn: '27825550100' })
    expect(begun.statusCode).toBe(201)
    const { session_id } = begun.json<{ session_id: string }>()
    const answered = await survey.app.inject({ ...answer(session_id, 'name', 'T'), headers: ADMIN })
    expect(answered.json()).toMatchObject({ person_key: 'p1', question: { id: 'outdoors' } })
  })
})

describe('nobody becomes another person', () => {
  it('by naming their person key', async () => {
    await using survey = await startSurvey()
    const { person_key } = await beginAs(browserOf(survey))
    const stranger = browserOf(survey)
    const refused = await stranger({ method: 'POST', url: SESSIONS, payload: { person_key } })
    expect(refused.statusCode).toBe(403)
    const issued = await stranger({ method: 'POST', url: '/v1/token', payload: { person_key } })
    expect(issued.json().person_key).not.toBe(person_key)
  })

  it('by knowing their session', async () => {
    await using survey = await startSurvey()
    const { session_id } = await beginAs(browserOf(survey))
    const nobody = browserOf(survey)
    expect((await nobody({ url: pathOf(session_id) })).statusCode).toBe(401)
    const stranger = browserOf(survey)
    await beginAs(stranger)
    const { session_id: own } = await beginAs(stranger)
    expect((await stranger({ url: pathOf(own) })).statusCode).toBe(200)
    for (const request of [
      { url: pathOf(session_id) },
      answer(session_id, 'name', 'Mallory'),
      { method: 'POST', url: `${pathOf(session_id)}/exit` } as const,
    ]) {
      expect((await stranger(request)).statusCode).toBe(404)
    }
  })

  it('by making up a cookie', async () => {
    await using survey = await startSurvey()
    const real = await survey.app.inject({ method: 'POST', url: SESSIONS, payload: {} })
    const { person_key, session_id } = real.json<{ person_key: string; session_id: string }>()
    const signature = String(real.headers['set-cookie']).split(';')[0]!.split('.')[1]
    for (const value of [
      person_key,
      `${person_key}.`,
      `${person_key}.x`,
      `other.${signature}`,
      '.',
    ]) {
      const forged = browserOf(survey, `survey_person=${value}`)
      expect((await forged({ url: pathOf(session_id) })).statusCode).toBe(401)
    }
  })

  it('through a script or another site: the cookie is for HTTP and this site alone', async () => {
    await using survey = await startSurvey()
    const plain = await survey.app.inject({ method: 'POST', url: '/v1/token' })
    expect(plain.headers['set-cookie']).toMatch(
      /; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict$/,
    )
    const secure = await survey.app.inject({
      method: 'POST',
      url: '/v1/token',
      headers: { 'x-forwarded-proto': 'https' },
    })
    expect(secure.headers['set-cookie']).toMatch(/; Secure$/)
  })
})

describe('the page', () => {
  it('is served with its files under a policy that admits nothing foreign', async () => {
    await using survey = await startSurvey({ publicEdgeUrl: 'wss://edge.example.org' })
    const page = await survey.app.inject({ url: '/' })
    expect(page.headers['content-type']).toMatch('text/html')
    expect(page.headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
        "connect-src 'self' wss://edge.example.org; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    for (const [, path] of page.body.matchAll(/(?:src|href)="([^"]+)"/g)) {
      expect((await survey.app.inject({ url: `/${path}` })).statusCode, path).toBe(200)
    }
    expect(page.body).not.toMatch(/https?:|style=|onclick=|<script>/)
  })

  it('has the client that this checkout has, as JavaScript', async () => {
    await using survey = await startSurvey()
    const client = await survey.app.inject({ url: '/client/index.js' })
    expect(client.headers['content-type']).toMatch('text/javascript')
    const imports = [...client.body.matchAll(/from '\.\/([^']+)'/g)].map(([, name]) => name!)
    expect(imports).toContain('client.js')
    for (const name of imports) {
      expect((await survey.app.inject({ url: `/client/${name}` })).statusCode, name).toBe(200)
    }
  })

  it('gets a token for the person of its cookie', async () => {
    await using survey = await startSurvey()
    const browser = browserOf(survey)
    const { person_key } = await beginAs(browser)
    const issued = await browser({ method: 'POST', url: '/v1/token' })
    expect(issued.headers['cache-control']).toBe('no-store')
    expect(issued.json()).toMatchObject({ person_key, edge_url: 'ws://localhost:8081' })
    const claims = await createTokenVerifier(TOKEN_SECRET)(issued.json<{ token: string }>().token)
    expect(claims).toMatchObject({ account_key: 'demo', sub: person_key })
    expect(claims).not.toHaveProperty('scope')
  })

  it('finds the session that its person left off', async () => {
    await using survey = await startSurvey()
    const browser = browserOf(survey)
    expect((await browser({ url: '/v1/page' })).json()).toMatchObject({
      poll: { title: 'Spring poll', questions: 5 },
      session: null,
    })
    const { session_id } = await beginAs(browser)
    expect((await browser({ url: '/v1/page' })).json()).toMatchObject({ session: { session_id } })
    expect((await browser({ url: '/v1/page?poll=none' })).statusCode).toBe(404)
  })
})

describe('the demo SMS gateway', () => {
  const sms = (idempotencyKey: string, body = 'Thank you!') =>
    ({
      method: 'POST',
      url: '/demo-sms-gateway/messages',
      payload: { to: '27825550100', body },
      headers: { 'idempotency-key': idempotencyKey },
    }) as const

  it('takes a message once for each Idempotency-Key, and lists it for the admin key', async () => {
    await using survey = await startSurvey({ isDemoSmsGatewayEnabled: true })
    const first = await survey.app.inject(sms('k1'))
    const repeated = await survey.app.inject(sms('k1'))
    const second = await survey.app.inject(sms('k2', 'Once more'))
    expect([first, repeated, second].map(({ statusCode }) => statusCode)).toEqual([201, 201, 201])
    expect(repeated.json()).toEqual(first.json())
    const url = '/demo-sms-gateway/messages?to=%2B27825550100'
    expect((await survey.app.inject({ url })).statusCode).toBe(401)
    const listed = await survey.app.inject({ url, headers: ADMIN })
    expect(listed.json()).toMatchObject({
      messages: [{ body: 'Thank you!', to: '+27825550100', kind: 'sms' }, { body: 'Once more' }],
    })
  })

  it('shows a person what was sent to the number they gave, since they began', async () => {
    await using survey = await startSurvey({ isDemoSmsGatewayEnabled: true })
    await survey.app.inject(sms('before', 'Not yours'))
    // What was sent in the very millisecond in which somebody begins counts as theirs.
    const sentMs = Date.now()
    await waitFor(() => Date.now() > sentMs, { what: 'the next millisecond', intervalMs: 1 })
    const browser = browserOf(survey)
    const { session_id } = await beginAs(browser)
    for (const [question, value] of [
      ['name', 'T'],
      ['outdoors', 'daily'],
      ['garden', 'no'],
      ['msisdn', '+27825550100'],
    ]) {
      await browser(answer(session_id, question!, value))
    }
    await survey.app.inject(sms('after'))
    expect((await browser({ url: '/v1/messages' })).json()).toMatchObject({
      messages: [{ body: 'Thank you!' }],
    })
    expect((await browserOf(survey)({ url: '/v1/messages' })).statusCode).toBe(401)
  })

  it('says what is wrong with a message, and is not there unless it is switched on', async () => {
    await using survey = await startSurvey({ isDemoSmsGatewayEnabled: true })
    const refused = await survey.app.inject({ ...sms('k'), payload: { to: 'me', body: '' } })
    expect(refused.json()).toMatchObject({ errors: [{ path: 'to' }, { path: 'body' }] })
    await using without = await startSurvey()
    expect((await without.app.inject(sms('k'))).statusCode).toBe(404)
  })
})

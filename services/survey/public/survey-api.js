/** The survey's HTTP API, as this page uses it. */

/** An answer that says what is wrong: an RFC 9457 problem. */
export class Problem extends Error {
  constructor(status, problem) {
    super(problem.errors?.[0]?.message ?? problem.detail ?? `The survey answered ${status}.`)
    this.status = status
  }
}

const REQUEST_TIMEOUT_MS = 15_000

async function request(method, path, body) {
  let response
  try {
    response = await fetch(path, {
      method,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
  } catch (cause) {
    throw new Error('The survey cannot be reached right now. Your answers so far are safe.', {
      cause,
    })
  }
  const content = await response.json().catch(() => ({}))
  if (response.ok) return content
  throw new Problem(response.status, content)
}

/** `pollKey` null: the survey's own choice. */
export function createSurveyApi(pollKey) {
  const query = pollKey === null ? '' : `?poll=${encodeURIComponent(pollKey)}`
  const sessionsOf = (poll) => `/v1/polls/${encodeURIComponent(poll)}/sessions`
  const sessionOf = ({ poll, session_id }) => `${sessionsOf(poll.poll_key)}/${session_id}`
  return {
    page: () => request('GET', `/v1/page${query}`),
    messages: () => request('GET', `/v1/messages${query}`),
    token: () => request('POST', '/v1/token'),
    begin: (poll) => request('POST', sessionsOf(poll.poll_key), {}),
    answer: (session, question, answer) =>
      request('POST', `${sessionOf(session)}/answers`, { question, answer }),
    exit: (session) => request('POST', `${sessionOf(session)}/exit`),
  }
}

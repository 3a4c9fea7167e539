/**
 * The page of a poll. What the person does goes over HTTP; what comes of it is shown when the socket announces it, as it would
 * be to anybody else who watches.
 */
import { byId } from './element.js'
import { openLive } from './live.js'
import {
  showChange,
  showFrame,
  showMessages,
  showPerson,
  showSession,
  showStatus,
} from './live-view.js'
import { showEnd, showFailure, showQuestion, showWelcome } from './poll-view.js'
import { createSurveyApi } from './survey-api.js'

const MESSAGES_EVERY_MS = 2_000

const api = createSurveyApi(new URLSearchParams(location.search).get('poll'))
let poll
let session = null
/** A person has messages; a browser that has just come is none yet. */
let isKnown = false
let isLive = false
let isActing = false

/** Shows what the survey knows: at the start, and whenever something may have been missed. */
async function refresh({ takeFocus = false } = {}) {
  const page = await api.page()
  poll = page.poll
  document.title = poll.title
  const before = session
  session = page.session
  if (session === null) return before === null && showWelcome(poll, begin)
  showSession(session)
  const isSame =
    before?.session_id === session.session_id && before.question?.id === session.question?.id
  if (!isSame || before.state !== session.state) showPoll({ takeFocus })
}

function showPoll({ takeFocus } = { takeFocus: true }) {
  if (session.question) showQuestion(session, { onAnswer: answer, onExit: exit, takeFocus })
  else showEnd(session, { onAgain: begin, takeFocus })
}

/** With a live socket the states wait for what it announces; without one the answer's own have to do. */
async function act(request) {
  isActing = true
  try {
    const next = await request()
    const isNew = next.session_id !== session?.session_id
    session = next
    if (!isLive) showSession(next)
    else if (isNew) showSession(asBefore(next))
    showPoll()
  } finally {
    isActing = false
    replay()
  }
}

const begin = () => act(() => api.begin(poll))
const answer = (question, value) => act(() => api.answer(session, question, value))
const exit = () => act(() => api.exit(session))

/** A session that has only just begun, before its first change is announced. */
const asBefore = (begun) => ({
  ...begun,
  state: 'inactive',
  steps: begun.steps.map((step) => ({ ...step, state: 'inactive' })),
})

/** Changes that arrive before the answer to the request that made them wait for it. */
const early = []

function onChange(change) {
  if (isActing) return early.push(change)
  showChange(change)
  if (isNews(change)) refresh().catch(() => {})
}

function replay() {
  for (const change of early.splice(0)) onChange(change)
}

/** Somebody else, another tab or a worker, began, answered or ended what is shown here. */
function isNews({ entity, id, identifier, state }) {
  if (entity === 'flow') {
    return identifier === poll?.poll_key && (id !== session?.session_id || state !== session.state)
  }
  return state === 'completed' && identifier === session?.question?.id
}

async function watchMessages() {
  if (isKnown && document.visibilityState === 'visible') {
    await api.messages().then(
      ({ messages }) => showMessages(messages),
      () => {},
    )
  }
  setTimeout(watchMessages, MESSAGES_EVERY_MS)
}

async function start() {
  try {
    await refresh()
  } catch (error) {
    showStatus('lost', 'Not connected')
    showFailure(error.message, () => location.reload())
    return
  }
  openLive({
    token: api.token,
    onPerson(personKey) {
      isKnown = true
      showPerson(personKey)
    },
    onFrame: showFrame,
    onChange,
    onStatus(state, text) {
      isLive = state === 'live'
      showStatus(state, text)
    },
    onMissed: () => refresh().catch(() => {}),
  })
  watchMessages()
}

byId('log').open = matchMedia('(min-width: 56rem)').matches
start()

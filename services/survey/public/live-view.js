/** The panel beside the question: the connection, the states, the messages, the frames. */
import { byId, element } from './element.js'

const MAX_FRAMES = 200

const connection = byId('connection')
const flow = byId('flow')
const stepList = byId('steps')
const messageList = byId('messages')
const frameList = byId('frames')

export function showStatus(state, text) {
  connection.dataset.state = state
  byId('connection-text').textContent = text ?? { connecting: 'Connecting', live: 'Live' }[state]
}

export function showPerson(personKey) {
  byId('person').textContent =
    `Your person key is ${personKey}. Nobody but this browser can watch it.`
}

/** The states of a session as the survey knows them; later ones come from the socket. */
export function showSession({ session_id, state, steps }) {
  flow.dataset.id = session_id
  setFlow(state)
  stepList.replaceChildren(
    ...steps.map((step) =>
      element(
        'li',
        { 'data-id': step.id, 'data-state': step.state },
        element('span', { className: 'lamp', 'aria-hidden': 'true' }),
        element('span', { className: 'name', title: step.text }, step.text),
        element('span', { className: 'state' }, step.state),
      ),
    ),
  )
}

/** A change of another session than the one shown changes nothing here. */
export function showChange({ entity, id, state }) {
  if (entity === 'flow') {
    if (flow.dataset.id === id) setFlow(state)
    return
  }
  const step = [...stepList.children].find((item) => item.dataset.id === id)
  if (!step) return
  step.dataset.state = state
  step.querySelector('.state').textContent = state
}

/** `kind` sms: it went to the demo SMS gateway. */
export function showMessages(messages) {
  if (messages.length === messageList.children.length) return
  byId('messages-note').hidden = messages.length > 0
  const known = new Set([...messageList.children].map((item) => item.dataset.id))
  const gone = new Set(messages.map(({ message_id }) => message_id))
  for (const item of [...messageList.children]) if (!gone.has(item.dataset.id)) item.remove()
  for (const { message_id, kind, to, body, at } of messages) {
    if (known.has(message_id)) continue
    const from =
      kind === 'sms' ? `SMS to ${to}. Demo SMS gateway, nothing is really sent.` : 'Message'
    messageList.append(
      element(
        'li',
        { 'data-id': message_id },
        element('p', { className: 'bubble' }, body),
        element('p', { className: 'from' }, `${clock(new Date(at))}  ${from}`),
      ),
    )
  }
}

export function showFrame(direction, text) {
  frameList.prepend(
    element(
      'li',
      { 'data-direction': direction },
      element('time', {}, clock(new Date())),
      element('span', { className: 'arrow', title: direction }, direction === 'in' ? '←' : '→'),
      element('code', {}, ...breakable(text)),
    ),
  )
  frameList.children[MAX_FRAMES]?.remove()
  const count = byId('frame-count')
  count.textContent = String(Number(count.textContent) + 1)
}

function setFlow(state) {
  flow.dataset.state = state
  byId('flow-text').textContent = `flow ${state}`
  byId('flow-note').hidden = stepList.children.length > 0
}

/** Lines may break after a comma. */
const breakable = (text) => text.split(/(?<=,)/).flatMap((part) => [part, element('wbr')])

const clock = (time) => time.toLocaleTimeString([], { hour12: false })

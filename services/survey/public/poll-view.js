/** The card with the question: the welcome, each question, the end. */
import { byId, element } from './element.js'

const card = byId('poll')
const eyebrow = byId('eyebrow')
const heading = byId('question')
const body = byId('body')

/** `takeFocus`: the card changed because of what the person did, so that a screen reader should go on there. */
function show({ above, title, takeFocus = true }, ...content) {
  card.setAttribute('aria-busy', 'false')
  eyebrow.textContent = above
  heading.textContent = title
  body.replaceChildren(...content)
  if (!takeFocus) return
  const field = body.querySelector('input:not([type=radio])')
  ;(field ?? heading).focus({ preventScroll: field === null })
}

export function showWelcome(poll, onBegin) {
  const count = poll.questions === 1 ? 'One question' : `At most ${poll.questions} questions`
  show(
    { above: `${count}, about a minute`, title: poll.title, takeFocus: false },
    element(
      'p',
      { className: 'prose' },
      'Answer at your own pace: what you have answered is kept, and you can go on later in this browser. As you answer, the panel beside shows each change as Signalbox announces it.',
    ),
    actions(element('button', { type: 'button', onclick: busy(onBegin) }, 'Begin')),
  )
}

export function showQuestion(session, { onAnswer, onExit, takeFocus }) {
  const { question, steps, poll } = session
  const place = steps.findIndex(({ identifier }) => identifier === question.id) + 1
  const fault = element('p', { className: 'fault', role: 'alert', id: 'fault', hidden: true })
  const form = element(
    'form',
    { noValidate: true },
    ...fieldsOf(question),
    fault,
    actions(
      element('button', { type: 'submit' }, 'Next'),
      element(
        'button',
        { type: 'button', className: 'quiet', onclick: busy(onExit) },
        'Leave the poll',
      ),
    ),
  )
  form.onsubmit = async (event) => {
    event.preventDefault()
    const answer = new FormData(form).get('answer')
    const submit = form.querySelector('[type=submit]')
    submit.disabled = true
    fault.hidden = true
    try {
      if (answer === null) throw new Error('Please choose one.')
      await onAnswer(question.id, answer)
    } catch (error) {
      fault.textContent = sentence(error.message)
      fault.hidden = false
      const field = form.elements.answer
      if (field instanceof HTMLElement) {
        field.setAttribute('aria-invalid', 'true')
        field.focus()
      }
    } finally {
      submit.disabled = false
    }
  }
  show(
    {
      above: `${poll.title}, question ${place} of ${steps.length}`,
      title: question.text,
      takeFocus,
    },
    form,
  )
}

export function showEnd(session, { onAgain, takeFocus }) {
  const { answers, steps, state, poll, score } = session
  const isCompleted = state === 'completed'
  const title = isCompleted
    ? `Thank you${typeof answers.name === 'string' ? `, ${answers.name}` : ''}.`
    : 'You left the poll.'
  const given = steps.filter(({ answer }) => answer !== undefined)
  show(
    {
      above: isCompleted ? `${poll.title}, completed with a score of ${score}` : poll.title,
      title,
      takeFocus,
    },
    element(
      'p',
      { className: 'prose' },
      isCompleted
        ? 'Your answers are in. Whatever the account has set to follow, such as a thank-you message, appears under “Messages to you”.'
        : 'What you had answered is kept for a while, and the flow has exited.',
    ),
    ...(given.length > 0 ? [answerList(given)] : []),
    actions(element('button', { type: 'button', onclick: busy(onAgain) }, 'Answer again')),
  )
}

const answerList = (given) =>
  element(
    'dl',
    { className: 'answers' },
    ...given.flatMap(({ text, answer }) => [element('dt', {}, text), element('dd', {}, answer)]),
  )

export function showFailure(message, onRetry) {
  show(
    { above: 'Something is missing', title: 'The poll cannot be shown.', takeFocus: false },
    element('p', { className: 'fault', role: 'alert' }, sentence(message)),
    actions(element('button', { type: 'button', onclick: busy(onRetry) }, 'Try again')),
  )
}

function fieldsOf(question) {
  if (question.type === 'choice') {
    const choices = question.choices.map(({ value, label }) =>
      element(
        'label',
        { className: 'choice' },
        element('input', { type: 'radio', name: 'answer', value }),
        element('span', {}, label),
      ),
    )
    return [
      element(
        'fieldset',
        { 'aria-labelledby': 'question', 'aria-describedby': 'fault' },
        ...choices,
      ),
    ]
  }
  const hint = HINTS[question.type]
  const field = element('input', {
    className: 'field',
    name: 'answer',
    type: question.type === 'msisdn' ? 'tel' : 'text',
    inputMode: { number: 'decimal', msisdn: 'tel' }[question.type],
    autocomplete: { name: 'given-name', msisdn: 'tel' }[question.id] ?? 'off',
    maxLength: question.max_length,
    'aria-labelledby': 'question',
    'aria-describedby': hint ? 'hint fault' : 'fault',
  })
  return [field, ...(hint ? [element('p', { className: 'hint', id: 'hint' }, hint)] : [])]
}

const HINTS = {
  msisdn: 'With the country code, such as +27 82 555 0100.',
  number: 'A number.',
}

const actions = (...buttons) => element('div', { className: 'actions' }, ...buttons)

/** One press at a time; what goes wrong is told beside the button. */
const busy = (work) => async (event) => {
  const button = event.currentTarget
  button.disabled = true
  button.parentElement.querySelector('.fault')?.remove()
  try {
    await work()
  } catch (error) {
    button.after(element('p', { className: 'fault', role: 'alert' }, sentence(error.message)))
  } finally {
    button.disabled = false
  }
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1)

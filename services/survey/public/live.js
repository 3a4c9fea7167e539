/**
 * The live channel of this browser's person: Signalbox's own client, which opens its socket again whenever that drops, and goes on after
 * the last change.
 *
 * States, as `onStatus` tells them: connecting -> live -> lost -> connecting -> …
 */
import { connect } from './client/index.js'

const BACKOFF = { initialMs: 500, maxMs: 10_000 }
const ENTITIES = ['flow', 'step']

/**
 * `token()` gives `{token, person_key, edge_url}`. `onMissed` is called when changes may have been missed: at the beginning, and when the
 * edge does not keep what happened while there was no socket.
 */
export async function openLive(options) {
  const { token, onStatus, onPerson, onFrame, onMissed, onChange } = options
  onStatus('connecting')
  let first
  try {
    first = await token()
  } catch {
    setTimeout(openLive, BACKOFF.maxMs * Math.random(), options)
    return onStatus('lost', 'Connection lost, trying again in a moment')
  }
  const { person_key: personKey, edge_url: url } = first
  onPerson(personKey)
  if (url === null) return onStatus('lost', 'No live channel: its address is not configured')

  const client = connect({
    url,
    backoff: BACKOFF,
    onFrame,
    async token() {
      const issued = first ?? (await token())
      first = undefined
      return issued.token
    },
    onStatus({ state, retryInMs, error }) {
      if (state === 'open') return isConfirmed && onStatus('live')
      if (state === 'waiting') {
        const seconds = Math.max(1, Math.round(retryInMs / 1_000))
        return onStatus('lost', `Connection lost, trying again in ${seconds} s`)
      }
      onStatus(state === 'closed' ? 'lost' : state, error?.message)
    },
  })
  let isConfirmed = false
  const subscriptions = ENTITIES.map((entity) =>
    client.subscribeStateChange({ personKey, entity }, { onChange, onGap: onMissed }),
  )
  await Promise.all(subscriptions.map((subscription) => subscription.live()))
  isConfirmed = true
  onStatus('live')
  onMissed()
}

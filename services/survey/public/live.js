/**
 * The live channel of this browser's person: one bare WebSocket, opened again whenever it drops.
 *
 * States, as `onStatus` tells them: connecting -> live -> lost -> connecting -> …
 */

const SUBPROTOCOL = 'signalbox.v1'
const FIRST_RETRY_MS = 500
const MAX_RETRY_MS = 10_000
const OPEN_TIMEOUT_MS = 10_000

/**
 * `token()` gives `{token, person_key, edge_url}`. `onLive` is called when both subscriptions are confirmed: what changed before it
 * may have been missed.
 */
export function openLive({ token, onStatus, onPerson, onFrame, onLive, onChange }) {
  let failures = 0

  async function connect() {
    onStatus('connecting')
    let issued
    try {
      issued = await token()
    } catch {
      return retry()
    }
    onPerson(issued.person_key)
    if (issued.edge_url === null)
      return onStatus('lost', 'No live channel: its address is not configured')
    listen(
      new WebSocket(`${issued.edge_url}/v1/socket`, [SUBPROTOCOL, `bearer.${issued.token}`]),
      issued,
    )
  }

  function listen(socket, { person_key }) {
    const unconfirmed = new Set([1, 2])
    const opening = setTimeout(() => socket.close(), OPEN_TIMEOUT_MS)

    socket.onopen = () => {
      ;['flow', 'step'].forEach((entity, index) => {
        const request = {
          action: 'subscribe_state_change',
          request_id: index + 1,
          data: { person_key, entity },
        }
        socket.send(JSON.stringify(request))
        onFrame('out', JSON.stringify(request))
      })
    }
    socket.onmessage = ({ data }) => {
      onFrame('in', data)
      const frame = JSON.parse(data)
      if (frame.event === 'state_change') return onChange(frame.data)
      if (frame.status !== 200) return socket.close()
      unconfirmed.delete(frame.request_id)
      if (unconfirmed.size > 0) return
      clearTimeout(opening)
      failures = 0
      onStatus('live')
      onLive()
    }
    socket.onclose = () => {
      clearTimeout(opening)
      retry()
    }
  }

  /** With jitter, so that a restarted edge is not met by everybody at once. */
  function retry() {
    failures += 1
    const step = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1))
    const delayMs = step / 2 + Math.random() * (step / 2)
    onStatus(
      'lost',
      `Connection lost, trying again in ${Math.max(1, Math.round(delayMs / 1_000))} s`,
    )
    setTimeout(connect, delayMs)
  }

  connect()
}

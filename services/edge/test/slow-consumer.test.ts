/** One client that never reads, among a thousand that do. */
import { completeEvent } from '@signalbox/contracts'
import { waitFor } from '@signalbox/testkit'
import { expect, it } from 'vitest'
import { encodePayload } from '../src/state-change.ts'
import { type BareClient, clientFrame, OPCODE, openBareClient } from './bare-client.ts'
import {
  ACCOUNT,
  memoryEngines,
  startEdge,
  stateChange,
  subscribeTo,
  tokenFor,
} from './edge-bed.ts'
import { collectGarbage } from './garbage.ts'

const QUICK = 1_000
const OPENED_AT_ONCE = 50
const MAX_BUFFERED_BYTES = 1024 * 1024
const HEAVY_BYTES = 200 * 1024
/** What the kernel takes before anything waits in the edge is some megabytes. */
const MAX_ROUNDS = 200

/** Buffers that somebody still holds. */
function waitingBytes(): number {
  collectGarbage()
  return process.memoryUsage().arrayBuffers
}

function send(client: BareClient, request: object): void {
  const payload = Buffer.from(JSON.stringify(request))
  client.socket.write(clientFrame({ opcode: OPCODE.text, payload }))
}

it('is closed within its bound, the others get every change, and what waited for it is freed', async () => {
  await using engines = memoryEngines()
  await using edge = await startEdge(engines, {
    acceptsPerSecond: 0,
    maxPerAddress: 2 * QUICK,
    maxBufferedBytes: MAX_BUFFERED_BYTES,
  })
  const token = await tokenFor()
  const open = async (requests: object[]) => {
    const client = await openBareClient(edge.origin, token)
    for (const request of requests) send(client, request)
    await waitFor(() => client.answers.length === requests.length, { what: 'the answers' })
    return client
  }
  const quick: BareClient[] = []
  for (let from = 0; from < QUICK; from += OPENED_AT_ONCE) {
    const some = Array.from({ length: OPENED_AT_ONCE }, () => open([subscribeTo('p1', 'flow', 1)]))
    quick.push(...(await Promise.all(some)))
  }
  const heavy = { action: 'subscribe', request_id: 2, data: { event_type: 'heavy' } }
  const slow = await open([subscribeTo('p1', 'flow', 1), heavy])
  slow.socket.pause()
  const before = waitingBytes()

  const change = { id: 'x', identifier: 'i'.repeat(200), state: 'active', previous_state: null }
  const payload = encodePayload('flow', change, new Date().toISOString())
  const event = completeEvent({
    ...stateChange('p1', 'flow', 'x'),
    event_type: 'heavy',
    event_data: { ballast: 'x'.repeat(HEAVY_BYTES) },
  })
  let rounds = 0
  while ((await edge.sample('signalbox_edge_closes_total{reason="slowConsumer"}')) !== 1) {
    rounds++
    expect(rounds).toBeLessThan(MAX_ROUNDS)
    const id = `round ${rounds}`
    await engines.store.channels.append([
      { channel: { accountKey: ACCOUNT, kind: 'person', personKey: 'p1' }, id, payload },
      {
        channel: { accountKey: ACCOUNT, kind: 'account' },
        id,
        payload: JSON.stringify({ ...event, event_id: id }),
      },
    ])
    await waitFor(() => quick.every(({ frames }) => frames === rounds), {
      what: `round ${rounds} to arrive at everybody else`,
      intervalMs: 1,
    })
  }
  expect(quick.every(({ isEnded }) => !isEnded)).toBe(true)
  expect(await edge.sample('signalbox_edge_frames_dropped_total')).toBe(1)

  // It does not answer the closing either, and is cut off.
  await waitFor(async () => (await edge.sample('signalbox_edge_connections')) === QUICK, {
    what: 'the slow one to be gone',
  })
  await waitFor(() => waitingBytes() - before < MAX_BUFFERED_BYTES, {
    what: 'what waited for it to be freed',
  })
  for (const { socket } of [...quick, slow]) socket.destroy()
}, 30_000)

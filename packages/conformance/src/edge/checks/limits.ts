/** Clients out of bounds. */
import { Violation } from '../../rule.ts'
import {
  type EdgeBench,
  parsed,
  plainAnswer,
  requireOk,
  requireRefused,
  requireSame,
  subscribe,
} from '../edge-bench.ts'
import type { EdgeCheck } from '../edge-conformance.ts'

const MAX_FRAME_BYTES = 16 * 1024
const PAYLOAD_BYTES = 200 * 1024
/** Together more than the edge, and the machines between, keep for one client. */
const PAYLOADS = 160
const PER_REQUEST = 4

export const refusesBinary: EdgeCheck = async (bench) => {
  const person = await bench.person()
  await using socket = await bench.open(person.token)
  socket.sendBytes(Buffer.from(JSON.stringify(subscribe(person, 'flow', 1))), { binary: true })
  requireRefused('a binary frame', await socket.next(), { status: 400, code: 'SB_INVALID_INPUT' })
  requireSame('the answer', await socket.ask(subscribe(person, 'flow', 2)), plainAnswer(2))
}

async function requireClosed(bench: EdgeBench, bytes: Uint8Array, wanted: number): Promise<void> {
  const { token } = await bench.person()
  await using socket = await bench.open(token)
  socket.sendBytes(bytes, { binary: false })
  const { code, reason } = await socket.ended()
  if (code !== wanted) throw new Violation(`it was closed with ${code} ${reason}, not ${wanted}`)
}

export const closesTooLarge: EdgeCheck = async (bench) => {
  const person = await bench.person()
  await using socket = await bench.open(person.token)
  const request = JSON.stringify(subscribe(person, 'flow', 1))
  const largest = request + ' '.repeat(MAX_FRAME_BYTES - Buffer.byteLength(request))
  requireSame('the answer to the largest frame', await socket.ask(largest), plainAnswer(1))
  await requireClosed(bench, Buffer.alloc(MAX_FRAME_BYTES + 1, 0x20), 1009)
}

export const closesNotUtf8: EdgeCheck = (bench) =>
  requireClosed(bench, Buffer.from([0x7b, 0xff, 0x7d]), 1007)

export const closesSlowConsumer: EdgeCheck = async (bench) => {
  const token = await bench.token({})
  await using slow = await bench.open(token)
  await using quick = await bench.open(token)
  const conversation_key = bench.newName('conversation')
  const request = { action: 'subscribe', request_id: 1, data: { conversation_key } }
  for (const socket of [slow, quick]) await requireOk(socket, request)
  slow.pause()
  const payload = 'x'.repeat(PAYLOAD_BYTES)
  for (let n = 0; n < PAYLOADS; n += PER_REQUEST) {
    const events = Array.from({ length: PER_REQUEST }, (_, offset) => ({
      conversation_key,
      event_data: { n: n + offset, payload },
    }))
    await bench.publish(events)
    for (const { event_data } of events) {
      const { data } = parsed<{ data: { event_data: { n: number } } }>(await quick.next())
      requireSame('what a neighbour gets', String(data.event_data.n), String(event_data.n))
    }
  }
  slow.resume()
  const { code } = await slow.ended()
  // n.b. an edge need not wait for a client to read its close frame.
  if (code !== 4008 && code !== 1006) throw new Violation(`it was closed with ${code}, not 4008`)
  if (slow.pending.length >= PAYLOADS) throw new Violation('everything was kept for it')
}

/** What an edge says when it refuses a socket, as the platform's own WebSocket and that of `ws` show it. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { waitFor } from '@signalbox/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WebSocket as WsWebSocket } from 'ws'
import { connect, type Status, type WebSocketConstructor } from '../src/index.ts'

let server: Server
let answers: string[]
let url: string

beforeEach(async () => {
  answers = []
  server = createServer()
  server.on('upgrade', (_request, socket) => socket.end(answers.shift() ?? ''))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => new Promise((resolve) => server.close(resolve)))

const refusal = (status: string, header = '') =>
  `HTTP/1.1 ${status}\r\n${header}Connection: close\r\nContent-Length: 0\r\n\r\n`

const KINDS: readonly [string, WebSocketConstructor][] = [
  ["the platform's WebSocket", WebSocket],
  ['that of ws', WsWebSocket],
]

test.each(KINDS)('%s: 503 with Retry-After is honoured', async (_kind, webSocket) => {
  answers = [refusal('503 Service Unavailable', 'Retry-After: 17\r\n')]
  const statuses: Status[] = []
  await using _client = connect({
    url,
    token: () => 'a-token',
    webSocket,
    onStatus: (status) => statuses.push(status),
  })
  const waiting = await waitFor(() => statuses.find(({ state }) => state === 'waiting'), {
    what: 'the refusal',
  })
  expect(waiting).toMatchObject({ error: { status: 503, code: 'SB_UNAVAILABLE' } })
  expect(waiting).toHaveProperty('retryInMs')
  const { retryInMs } = waiting as Status & { state: 'waiting' }
  expect(retryInMs).toBeGreaterThanOrEqual(17_000)
  expect(retryInMs).toBeLessThanOrEqual(21_250)
})

test.each(KINDS)(
  '%s: 401 brings a new token, and is final when that is refused too',
  async (_kind, webSocket) => {
    answers = [refusal('401 Unauthorized'), refusal('401 Unauthorized')]
    let given = 0
    await using client = connect({ url, token: () => `token-${++given}`, webSocket })
    await waitFor(() => client.status.state === 'closed', { what: 'the end' })
    expect(client.status).toMatchObject({ error: { code: 'SB_UNAUTHENTICATED', status: 401 } })
    expect(given).toBe(2)
  },
)

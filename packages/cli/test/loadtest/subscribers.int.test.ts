import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { waitFor } from '@signalbox/private-brokers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { openSubscribers } from '../../src/loadtest/subscribers.ts'

const PERSON = { accountKey: 'a', personKey: 'p0' }
const tokenFor = async () => 'a-token'

let edge: WebSocketServer
let sockets: WebSocket[]
let status: number
let edgeUrl: string

beforeEach(async () => {
  sockets = []
  status = 200
  edge = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: ([first]) => first! })
  edge.on('connection', (socket) => {
    socket.on('message', () => {
      const errors = status === 200 ? [] : [{ code: 'SB_FORBIDDEN', message: 'not yours' }]
      socket.send(JSON.stringify({ request_id: 1, errors, status }))
      sockets.push(socket)
    })
  })
  await once(edge, 'listening')
  edgeUrl = `http://127.0.0.1:${(edge.address() as AddressInfo).port}`
})
afterEach(async () => {
  for (const socket of edge.clients) socket.terminate()
  await new Promise((resolve) => edge.close(resolve))
})

test('a subscriber whose socket ends comes back in a new era', async () => {
  const frames: [string, number, number][] = []
  await using subscribers = await openSubscribers(
    { edgeUrls: [edgeUrl], persons: [PERSON] },
    { tokenFor, onFrame: (...frame) => frames.push(frame) },
  )
  const show = (id: string) =>
    sockets.at(-1)!.send(JSON.stringify({ event: 'state_change', request_id: 1, data: { id } }))
  expect(subscribers.eraOf(0)).toBe(1)
  show('0')
  await waitFor(() => frames.length === 1, { what: 'the first frame' })
  sockets.at(-1)!.terminate()
  await waitFor(() => subscribers.eraOf(0) === 2, { what: 'the second era' })
  show('1')
  await waitFor(() => frames.length === 2, { what: 'the second frame' })
  expect(frames).toEqual([
    ['0', 0, 1],
    ['1', 0, 2],
  ])
  expect(subscribers.breaks).toBe(1)
})

test('a subscriber that is refused at first tries again', async () => {
  status = 403
  const opening = openSubscribers(
    { edgeUrls: [edgeUrl], persons: [PERSON] },
    { tokenFor, onFrame: () => undefined },
  )
  await waitFor(() => sockets.length >= 1, { what: 'a refused request' })
  status = 200
  await using subscribers = await opening
  expect(subscribers.eraOf(0)).toBe(1)
})

test('closing while a token is awaited ends as well', async () => {
  const token = Promise.withResolvers<string>()
  let asked = 0
  const subscribers = await openSubscribers(
    { edgeUrls: [edgeUrl], persons: [PERSON] },
    { tokenFor: () => (asked++ === 0 ? tokenFor() : token.promise), onFrame: () => undefined },
  )
  sockets.at(-1)!.terminate()
  await waitFor(() => asked === 2, { what: 'the token of the second socket' })
  const closed = subscribers[Symbol.asyncDispose]()
  token.resolve('too late')
  await closed
  expect(edge.clients.size).toBe(0)
})

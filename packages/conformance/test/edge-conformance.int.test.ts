/** Edges that keep nothing of the protocol are found out, rule by rule. A real one is checked from outside, in test-e2e. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { EDGE_RULES, edgeConformance, type RuleResult } from '../src/index.ts'

/** An API that takes everything, and an edge at the same address that takes every socket. */
let server: Server
let origin: string
let onMessage: (socket: WebSocket, text: string) => void

beforeEach(async () => {
  onMessage = () => undefined
  server = createServer((_request, response) => response.end('{"token":"e30.e30.AbC"}'))
  const edge = new WebSocketServer({
    server,
    handleProtocols: ([first]) => first ?? false,
    skipUTF8Validation: true,
  })
  edge.on('connection', (socket) => {
    socket.on('error', () => undefined)
    socket.on('message', (data) => onMessage(socket, String(data)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => new Promise((resolve) => server.close(resolve)))

async function check(options: object): Promise<RuleResult[]> {
  const results: RuleResult[] = []
  const url = `ws://${origin}`
  for await (const result of edgeConformance({ url, timeoutMs: 100, ...options })) {
    results.push(result)
  }
  expect(results.map(({ id, rule }) => [id, rule])).toEqual(Object.entries(EDGE_RULES))
  return results
}

const idsOf = (results: readonly RuleResult[], outcome: string) =>
  results.filter((result) => result.outcome === outcome).map(({ id }) => id)

test('an edge that says nothing passes nothing', async () => {
  const results = await check({ api: { url: `http://${origin}`, key: 'k' } })
  expect(idsOf(results, 'passed')).toEqual([])
  expect(results.find(({ id }) => id === 'answers-exactly')?.detail).toBe(
    'no frame came within 100 ms',
  )
})

test('an edge that says yes to everything passes what asks for a yes, and no more', async () => {
  onMessage = (socket, text) => {
    const [, id = 'null'] = /"request_id":("(?:[^"\\]|\\.)*"|[^,}]+)/.exec(text) ?? []
    socket.send(`{"request_id":${id},"errors":[],"status":200}`)
  }
  const results = await check({ api: { url: `http://${origin}`, key: 'k' } })
  expect(idsOf(results, 'passed')).toEqual([
    'takes-token-in-header',
    'takes-token-in-subprotocols',
    'takes-token-in-query',
    'answers-exactly',
    'answers-in-order',
    'echoes-request-id',
    'ignores-unknown-fields',
  ])
  expect(results.find(({ id }) => id === 'refuses-bad-tokens')?.detail).toBe(
    'a socket was opened with no token',
  )
})

test('without an API what needs one is skipped, and the reason is told', async () => {
  const results = await check({ token: 'e30.eyJzdWIiOiJwMSJ9.AbC' })
  expect(idsOf(results, 'skipped')).not.toEqual([])
  for (const { outcome, detail } of results) {
    if (outcome === 'skipped') expect(detail).toBe('no API was given')
  }
})

test('no edge at all is no verdict', async () => {
  const checking = edgeConformance({ url: 'ws://127.0.0.1:1', token: 't', timeoutMs: 100 })
  await expect(checking.next()).rejects.toThrow('no edge at ws://127.0.0.1:1')
})

import { expect, it } from 'vitest'
import { selectSubprotocol, tokenOf } from '../src/handshake.ts'

const handshake = (headers: Record<string, string>, query = '') => ({
  headers,
  query: new URLSearchParams(query),
})

it('takes the token from the header, the subprotocols, the query, in this order', () => {
  const header = { authorization: 'Bearer from-header' }
  const protocols = { 'sec-websocket-protocol': 'signalbox.v1, bearer.a.b-c_d' }
  const query = 'token=from-query'
  expect(tokenOf(handshake({ ...header, ...protocols }, query))).toBe('from-header')
  expect(tokenOf(handshake(protocols, query))).toBe('a.b-c_d')
  expect(tokenOf(handshake({ 'sec-websocket-protocol': 'signalbox.v1' }, query))).toBe('from-query')
})

it.each([
  ['nothing', handshake({})],
  ['an empty token', handshake({}, 'token=')],
  ['another scheme', handshake({ authorization: 'Basic abc' })],
  ['two tokens in the query', handshake({}, 'token=a&token=b')],
  ['an empty subprotocol entry', handshake({ 'sec-websocket-protocol': 'bearer.' })],
])('refuses a handshake with %s', (_what, { headers, query }) => {
  expect(() => tokenOf({ headers, query })).toThrow(
    expect.objectContaining({ code: 'SB_UNAUTHENTICATED' }),
  )
})

it('selects our subprotocol and never the entry with the token', () => {
  expect(selectSubprotocol(new Set(['bearer.abc', 'signalbox.v1']))).toBe('signalbox.v1')
  expect(selectSubprotocol(new Set(['bearer.abc']))).toBe(false)
})

import { expect, test } from 'vitest'
import { edgeAddress } from '../src/edge-address.ts'

const page = (host: string, isSecure = false) => ({ host, isSecure })

test.each([
  [undefined, page('survey.example.org:8085'), 'ws://survey.example.org:8081'],
  [undefined, page('survey.example.org', true), 'wss://survey.example.org:8081'],
  [undefined, page('[::1]:8085'), 'ws://[::1]:8081'],
  ['wss://edge.example.org', page('survey.example.org'), 'wss://edge.example.org'],
  ['wss://edge.example.org/path?x=1', page('survey.example.org'), 'wss://edge.example.org'],
  ['ws://0.0.0.0:9000', page('10.0.0.7:8085'), 'ws://10.0.0.7:9000'],
  ['ws://[::]:9000', page('10.0.0.7:8085'), 'ws://10.0.0.7:9000'],
])('configured as %o, a page at %o finds the edge at %s', (configured, at, edge) => {
  expect(edgeAddress(configured, at)).toBe(edge)
})

test.each(["x; script-src 'unsafe-inline'", 'user@host', 'a b', '', 'host/path'])(
  'nothing is made of the Host header %o',
  (host) => {
    expect(edgeAddress(undefined, page(host))).toBeUndefined()
  },
)

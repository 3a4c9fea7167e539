import { describe, expect, test } from 'vitest'
import { connectionOf, edgeUrlOf } from '../src/connection.ts'
import { UsageError } from '../src/usage-error.ts'

const ELSEWHERE = { 'api-url': 'https://api.example.org' }

test('with nothing given it is a standalone on this machine, with its development key', () => {
  expect(connectionOf({}, {})).toEqual({
    apiUrl: 'http://127.0.0.1:8080',
    edgeUrl: 'ws://127.0.0.1:8081',
    apiKey: 'signalbox-dev',
    accountKey: 'demo',
    usesDevelopmentKey: true,
  })
})

test('flags stand above the environment, and an empty variable is none', () => {
  const env = {
    SIGNALBOX_API_URL: 'http://127.0.0.1:1',
    SIGNALBOX_EDGE_URL: '',
    SIGNALBOX_API_KEY: 'of-the-environment',
    SIGNALBOX_ACCOUNT: 'acme',
  }
  expect(connectionOf({ 'api-url': 'http://localhost:2/' }, env)).toMatchObject({
    apiUrl: 'http://localhost:2',
    edgeUrl: 'ws://127.0.0.1:8081',
    apiKey: 'of-the-environment',
    accountKey: 'acme',
    usesDevelopmentKey: false,
  })
})

test("an account's own key says whose it is, unless the account is given", () => {
  const key = { 'api-key': 'sbk.acme.k1.secret' }
  expect(connectionOf(key, {}).accountKey).toBe('acme')
  expect(connectionOf({ ...key, account: 'other' }, {}).accountKey).toBe('other')
})

describe('what is not known is asked for', () => {
  test.each<[string, Record<string, string>, RegExp]>([
    ['a key for an API elsewhere', ELSEWHERE, /^--api-key or SIGNALBOX_API_KEY is needed/],
    [
      'a key for a name that only begins as this machine does',
      { 'api-url': 'http://127.0.0.1.example.org' },
      /^--api-key or SIGNALBOX_API_KEY is needed/,
    ],
    ['an account beside an admin key', { 'api-key': 'admin' }, /^--account or SIGNALBOX_ACCOUNT/],
    ['a URL that is one', { 'api-url': 'ftp://h' }, /^--api-url must be an http:/],
    ['a URL without credentials', { 'api-url': 'http://u:pw@h' }, /^--api-url must have no cred/],
    ['a name of an account', { account: 'a b' }, /^--account must be 1 to 64/],
  ])('%s', (_name, flags, message) => {
    expect(() => connectionOf(flags, {})).toThrow(UsageError)
    expect(() => connectionOf(flags, {})).toThrow(message)
  })

  test('the edge of an API elsewhere, when it is needed', () => {
    const connection = connectionOf({ ...ELSEWHERE, 'api-key': 'k', account: 'a' }, {})
    expect(() => edgeUrlOf(connection)).toThrow(/^--edge-url or SIGNALBOX_EDGE_URL is needed/)
  })

  test('by the name of the variable when that is wrong, and never with a secret', () => {
    const env = { SIGNALBOX_API_KEY: 'a secret with spaces' }
    expect(() => connectionOf({}, env)).toThrow(
      /^SIGNALBOX_API_KEY must be 1 to 512 visible ASCII characters$/,
    )
  })
})

import { InvalidInputError } from '@signalbox/kit'
import { describe, expect, test } from 'vitest'
import { createAddressPolicy } from '../src/address-policy.ts'
import { AMQP_SCHEMES, checkCallbackExchange } from '../src/amqp-delivery.ts'
import { checkCallbackUrl } from '../src/callback-url.ts'
import { checkCallbackHeaders } from '../src/request-headers.ts'

const policy = createAddressPolicy()
const http = createAddressPolicy({ allowHttp: true, allowPorts: [81] })

test.each([
  [
    'https://Example.com',
    { hostname: 'example.com', port: 443, origin: 'https://example.com:443', path: '/' },
  ],
  ['https://example.com:8443/a%20b?c=d', { port: 8_443, path: '/a%20b?c=d' }],
  ['https://xn--bcher-kva.example/', { hostname: 'xn--bcher-kva.example' }],
  ['https://under_score.example/', { hostname: 'under_score.example' }],
  ['https://93.184.216.34/', { hostname: '93.184.216.34' }],
  [
    'https://[2606:4700::1111]/',
    { hostname: '2606:4700::1111', origin: 'https://[2606:4700::1111]:443' },
  ],
  ['https://example.com:80/', { port: 80 }],
])('%s is taken', (text, expected) => {
  expect(checkCallbackUrl(text, policy)).toMatchObject(expected)
})

test.each([
  ['http://example.com/', 'the scheme must be https://'],
  ['ftp://example.com/', 'the scheme must be https://'],
  ['file:///etc/passwd', 'the scheme must be https://'],
  ['amqps://example.com/', 'the scheme must be https://'],
  ['https:/example.com', 'does not begin with a scheme and //'],
  ['example.com', 'does not begin with a scheme and //'],
  ['https://', 'no host'],
  ['https://user@example.com/', 'credentials'],
  ['https://user:pw@example.com/', 'credentials'],
  ['https://example.com/#top', 'fragment'],
  ['https://example.com:22/', 'port 22'],
  ['https://example.com:0/', '1 to 65535'],
  ['https://example.com:65536/', '1 to 65535'],
  ['https://example.com:/', '1 to 65535'],
  ['https://example.com:0443/', '1 to 65535'],
  ['https://example.com./', 'may not end with a dot'],
  ['https://example..com/', 'not a name'],
  ['https://-example.com/', 'not a name'],
  ['https://bücher.example/', 'visible ASCII'],
  ['https://exam%70le.com/', 'may hold no %'],
  ['https://example.com/a b', 'visible ASCII'],
  ['https://example.com/\r\nx: y', 'visible ASCII'],
  ['https:\\\\example.com\\', 'encode them'],
  ['https://1.2.3/', 'four decimal numbers'],
  ['https://example.0x1/', 'four decimal numbers'],
  ['https://[::1', 'cannot be read'],
  ['https://[::g]/', 'not an IPv6 address'],
  [`https://example.com/${'a'.repeat(2_048)}`, 'longer than'],
])('%j is refused', (text, why) => {
  expect(() => checkCallbackUrl(text, policy)).toThrow(InvalidInputError)
  expect(() => checkCallbackUrl(text, policy)).toThrow(why)
})

test('what is inside is refused by a code of its own, at its path', () => {
  const check = () => checkCallbackUrl('https://10.0.0.1/', policy)
  expect(check).toThrow(
    expect.objectContaining({
      code: 'SB_ADDRESS_REFUSED',
      status: 400,
      details: [{ path: 'url', message: '10.0.0.1 may not be reached: private' }],
    }),
  )
})

test('without TLS, and a port of its own, only where the policy says so', () => {
  expect(checkCallbackUrl('http://example.com/', http)).toMatchObject({ port: 80 })
  expect(checkCallbackUrl('http://example.com:81/', http)).toMatchObject({ port: 81 })
  expect(() => checkCallbackUrl('http://example.com:82/', http)).toThrow('port 82')
})

describe('an AMQP URL', () => {
  const check = (text: string) => checkCallbackUrl(text, policy, { schemes: AMQP_SCHEMES })

  test('is taken with its virtual host', () => {
    expect(check('amqps://Broker.example/a%2Fb')).toMatchObject({
      scheme: 'amqps:',
      hostname: 'broker.example',
      port: 5_671,
      path: '/a%2Fb',
    })
  })

  test.each([
    ['amqp://broker.example', 'the scheme must be amqps://'],
    ['amqps://guest:guest@broker.example', 'credentials'],
    ['amqps://broker.example/?heartbeat=0', 'no query'],
    ['amqps://broker.example:443', 'port 443'],
    ['amqps://2130706433', 'four decimal numbers'],
  ])('%s is refused', (text, why) => {
    expect(() => check(text)).toThrow(why)
  })
})

describe('an exchange', () => {
  test.each(['', 'amq.topic', 'signalbox', 'signalbox.events', 'signalbox.handlers'])(
    '%j of our own broker is refused, and of another is not',
    (exchange) => {
      expect(() => checkCallbackExchange(exchange, 'signalbox')).toThrow(InvalidInputError)
      expect(() => checkCallbackExchange(exchange)).not.toThrow()
    },
  )

  test('that nobody can have made is refused', () => {
    expect(() => checkCallbackExchange('a\nb')).toThrow('control characters')
    expect(() => checkCallbackExchange('x'.repeat(256))).toThrow('longer than')
    expect(() => checkCallbackExchange('callbacks', 'signalbox')).not.toThrow()
  })
})

test('headers are told in lower case, and every fault is named without its value', () => {
  expect(checkCallbackHeaders({ 'X-A': 'b c', Authorization: 'Bearer t' })).toEqual({
    'x-a': 'b c',
    authorization: 'Bearer t',
  })
  const bad = {
    Host: 'h',
    'WEBHOOK-ID': 'i',
    'x-a': 'secret\n',
    'x b': '1',
    'X-C': '1',
    'x-c': '2',
  }
  const check = () => checkCallbackHeaders({ ...bad, 'x-d': ' padded', 'x-e': 'ü' })
  expect(check).toThrow(
    expect.objectContaining({
      details: [
        { path: 'headers.Host', message: 'is reserved' },
        { path: 'headers.WEBHOOK-ID', message: 'is reserved' },
        { path: 'headers.x-a', message: 'is not visible ASCII' },
        { path: 'headers.x?b', message: 'is no name of a header' },
        { path: 'headers.x-c', message: 'comes twice' },
        { path: 'headers.x-d', message: 'is not visible ASCII' },
        { path: 'headers.x-e', message: 'is not visible ASCII' },
      ],
    }),
  )
  expect(check).not.toThrow('secret')
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`x-${index}`, '1']))
  expect(() => checkCallbackHeaders(many)).toThrow('more than 32')
})

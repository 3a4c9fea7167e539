import { expect, it } from 'vitest'
import { clientAddress } from '../src/client-address.ts'

const from = (remoteAddress: string, forwarded?: string, trustedProxies = 0) =>
  clientAddress(
    {
      headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
      socket: { remoteAddress },
    },
    trustedProxies,
  )

it.each([
  ['an IPv4 address as it is', from('192.0.2.1'), '192.0.2.1'],
  ['the IPv4 address in an IPv6 one', from('::ffff:192.0.2.1'), '192.0.2.1'],
  ['of IPv6 the network', from('2001:db8:1:2:aaaa:bbbb:cccc:dddd'), '2001:db8:1:2::/64'],
  ['of a short IPv6 address, too', from('2001:DB8::1'), '2001:db8:0:0::/64'],
  ['loopback', from('::1'), '0:0:0:0::/64'],
  ['a link-local address without its zone', from('fe80::1%eth0'), 'fe80:0:0:0::/64'],
])('counts %s', (_what, counted, expected) => {
  expect(counted).toBe(expected)
})

it('believes nothing that was forwarded unless it has a proxy before it', () => {
  expect(from('192.0.2.1', '203.0.113.9')).toBe('192.0.2.1')
})

it('believes as many entries as there are proxies, from the last', () => {
  const forwarded = '198.51.100.66, 203.0.113.9, 10.0.0.2'
  expect(from('10.0.0.1', forwarded, 1)).toBe('10.0.0.2')
  expect(from('10.0.0.1', forwarded, 2)).toBe('203.0.113.9')
  expect(from('10.0.0.1', '203.0.113.9', 2)).toBe('203.0.113.9')
  expect(from('10.0.0.1', undefined, 1)).toBe('10.0.0.1')
  expect(from('10.0.0.1', 'unknown, 203.0.113.9', 1)).toBe('203.0.113.9')
})

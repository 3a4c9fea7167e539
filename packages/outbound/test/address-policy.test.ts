import { BlockList } from 'node:net'
import { InvalidInputError } from '@signalbox/kit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createAddressPolicy } from '../src/address-policy.ts'
import { isInBlock, parseIpAddress, parseIpBlock } from '../src/ip-address.ts'

const policy = createAddressPolicy()

test.each([
  '1.1.1.1',
  '8.8.8.8',
  '11.0.0.1',
  '93.184.216.34',
  '100.63.255.255',
  '100.128.0.1',
  '172.15.255.255',
  '172.32.0.1',
  '192.0.1.1',
  '198.17.255.255',
  '223.255.255.255',
  '2606:4700::1111',
  '2a00:1450::1',
  '64:ff9b::8.8.8.8',
  '::ffff:8.8.8.8',
])('%s may be reached', (address) => {
  expect(policy.refusalOf(address)).toBeUndefined()
})

test.each([
  ['127.8.9.10', 'loopback'],
  ['169.254.169.254', 'cloud metadata'],
  ['169.254.1.1', 'link-local'],
  ['64:ff9b::10.0.0.1', 'private, inside an IPv6 address'],
  ['64:ff9b:1::8.8.8.8', 'local-use NAT64'],
  ['2002:808:808::1', '6to4'],
  ['2001:0:1::1', 'Teredo'],
  ['2001:1ff::1', 'reserved for protocols'],
  ['4000::1', 'not global unicast'],
  ['fe80::1%eth0', 'not an IP address in full form'],
  ['localhost', 'not an IP address in full form'],
  ['0x7f.1', 'not an IP address in full form'],
  ['', 'not an IP address in full form'],
])('%s is %s', (address, refusal) => {
  expect(policy.refusalOf(address)).toBe(refusal)
})

describe('lists', () => {
  const listed = createAddressPolicy({
    allow: ['10.1.0.0/16', 'fd00:1::/32', '127.0.0.1'],
    deny: ['10.1.2.0/24', '8.8.8.0/24', '2a00::/16'],
  })

  test.each([
    ['10.1.3.4', undefined],
    ['::ffff:10.1.3.4', undefined],
    ['10.2.0.1', 'private'],
    ['127.0.0.1', undefined],
    ['127.0.0.2', 'loopback'],
    ['fd00:1::5', undefined],
    ['fd00:2::5', 'unique local'],
    ['10.1.2.3', 'denied'],
    ['8.8.8.8', 'denied'],
    ['::ffff:8.8.8.8', 'denied'],
    ['64:ff9b::8.8.8.8', 'denied'],
    ['2a00:1450::1', 'denied'],
    ['64:ff9b::10.1.3.4', 'private, inside an IPv6 address'],
  ])('%s is %s', (address, refusal) => {
    expect(listed.refusalOf(address)).toBe(refusal)
  })

  test.each([
    '10.0.0.1/8',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0',
    'x',
    '::/129',
    '::ffff:10.0.0.0/104',
  ])('the entry %s is refused by name', (entry) => {
    expect(() => createAddressPolicy({ deny: [entry] })).toThrow(InvalidInputError)
    expect(() => createAddressPolicy({ deny: [entry] })).toThrow(entry)
  })
})

test('blocks are the same as those of Node, where Node reads the address', () => {
  const family = fc.constantFrom('ipv4' as const, 'ipv6' as const)
  const anyCase = family.chain((kind) =>
    fc.record({
      kind: fc.constant(kind),
      base: kind === 'ipv4' ? fc.ipV4() : fc.ipV6(),
      length: fc.integer({ min: 0, max: kind === 'ipv4' ? 32 : 128 }),
      address: kind === 'ipv4' ? fc.ipV4() : fc.ipV6(),
    }),
  )
  fc.assert(
    fc.property(anyCase, fc.boolean(), ({ kind, base, length, address: other }, same) => {
      const address = same ? base : other
      const [ours, network] = [parseIpAddress(address), parseIpAddress(base)]
      fc.pre(ours !== undefined && network !== undefined && ours.family === network.family)
      const bits = network!.family === 4 ? 32 : 128
      fc.pre(length <= bits && bits === (kind === 'ipv4' ? 32 : 128))
      const theirs = new BlockList()
      theirs.addSubnet(base, length, kind)
      const block = {
        family: network!.family,
        prefixLength: length,
        prefix: network!.value >> BigInt(bits - length),
      }
      expect(isInBlock(ours!, block)).toBe(theirs.check(address, kind))
    }),
    { numRuns: 500 },
  )
})

test('a block is read as it is written', () => {
  expect(parseIpBlock('192.0.2.0/24')).toEqual({
    family: 4,
    prefixLength: 24,
    prefix: 0xc00002n,
  })
  expect(parseIpBlock('::1')).toEqual({ family: 6, prefixLength: 128, prefix: 1n })
})

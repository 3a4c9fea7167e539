/**
 * IP addresses as numbers, and blocks of them.
 *
 * n.b. `net.BlockList` would compare blocks as well, but it answers "not in the list" for a text that is no address, does not say
 * which entry it found, and knows nothing of IPv4 addresses that are carried inside IPv6 ones, apart from mapped ones.
 */
import { isIP } from 'node:net'

export interface IpAddress {
  readonly family: 4 | 6
  readonly value: bigint
}

export interface IpBlock {
  readonly family: 4 | 6
  readonly prefixLength: number
  /** The bits of the prefix, as a number of that length. */
  readonly prefix: bigint
}

const BITS = { 4: 32, 6: 128 } as const

/** `::ffff:0:0/96`, without its last 32 bits. */
const MAPPED_PREFIX = 0xffffn

/**
 * The address in a text, or undefined when it is none in its full form. A mapped one (`::ffff:192.0.2.1`) is the IPv4 address
 * that the kernel connects to for it. One with a zone (`fe80::1%eth0`) is none: it means something on one machine only.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  const family = isIP(text)
  if (family === 4) return { family, value: ipv4Value(text) }
  if (family !== 6 || text.includes('%')) return undefined
  const value = ipv6Value(text)
  return value >> 32n === MAPPED_PREFIX ? ipv4Of(value) : { family, value }
}

/** The IPv4 address in the last 32 bits of `value`. */
export function ipv4Of(value: bigint): IpAddress {
  return { family: 4, value: value & 0xffff_ffffn }
}

/** `192.0.2.0/24`, `2001:db8::/32`, or an address alone; undefined when it is neither, or has bits beyond its prefix. */
export function parseIpBlock(text: string): IpBlock | undefined {
  const [addressText = '', lengthText, ...rest] = text.split('/')
  const address = parseIpAddress(addressText)
  if (!address || rest.length > 0) return undefined
  const bits = BITS[address.family]
  if (lengthText !== undefined && !/^\d{1,3}$/.test(lengthText)) return undefined
  const prefixLength = lengthText === undefined ? bits : Number(lengthText)
  // n.b. `::ffff:10.0.0.0/104` is written for IPv6 and reads as IPv4 here, so that its length does not fit: it is refused.
  if (prefixLength > bits) return undefined
  const hostBits = BigInt(bits - prefixLength)
  const prefix = address.value >> hostBits
  return prefix << hostBits === address.value
    ? { family: address.family, prefixLength, prefix }
    : undefined
}

export function isInBlock(address: IpAddress, block: IpBlock): boolean {
  if (address.family !== block.family) return false
  return address.value >> BigInt(BITS[block.family] - block.prefixLength) === block.prefix
}

function ipv4Value(text: string): bigint {
  return text.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n)
}

function ipv6Value(text: string): bigint {
  const [head = '', tail] = text.split('::')
  const before = groupsOf(head)
  const after = tail === undefined ? [] : groupsOf(tail)
  const zeros = new Array<bigint>(8 - before.length - after.length).fill(0n)
  return [...before, ...zeros, ...after].reduce((value, group) => (value << 16n) | group, 0n)
}

function groupsOf(text: string): bigint[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [BigInt(`0x${group}`)]
    const value = ipv4Value(group)
    return [value >> 16n, value & 0xffffn]
  })
}

/**
 * The addresses that are not everybody's: what a stranger's URL must not reach.
 *
 * Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries
 * (https://www.iana.org/assignments/iana-ipv4-special-registry, https://www.iana.org/assignments/iana-ipv6-special-registry), of
 * which every block is here that is not "globally reachable"; multicast and reserved space from
 * https://www.iana.org/assignments/ipv4-address-space; and for IPv6 the other way round
 * (https://www.iana.org/assignments/ipv6-address-space): what is outside of 2000::/3 is not unicast of the Internet, known or not.
 */
import { type IpAddress, type IpBlock, ipv4Of, isInBlock, parseIpBlock } from './ip-address.ts'

/** A block and what errors call it. */
type Special = readonly [block: IpBlock, kind: string]

const SPECIAL: readonly Special[] = (
  [
    ['0.0.0.0/32', 'unspecified'],
    ['0.0.0.0/8', 'this network'],
    ['10.0.0.0/8', 'private'],
    ['100.64.0.0/10', 'shared by a carrier (CGNAT)'],
    ['127.0.0.0/8', 'loopback'],
    ['169.254.169.254/32', 'cloud metadata'],
    ['169.254.0.0/16', 'link-local'],
    ['172.16.0.0/12', 'private'],
    ['192.0.0.0/24', 'reserved for protocols'],
    ['192.0.2.0/24', 'documentation'],
    ['192.88.99.0/24', '6to4 relay'],
    ['192.168.0.0/16', 'private'],
    ['198.18.0.0/15', 'benchmarking'],
    ['198.51.100.0/24', 'documentation'],
    ['203.0.113.0/24', 'documentation'],
    ['224.0.0.0/4', 'multicast'],
    ['255.255.255.255/32', 'broadcast'],
    ['240.0.0.0/4', 'reserved'],
    // Public by its number, and answered by the host of every Azure machine.
    // Source: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
    ['168.63.129.16/32', 'cloud metadata'],

    ['::/128', 'unspecified'],
    ['::1/128', 'loopback'],
    ['::/96', 'IPv4-compatible'],
    ['::ffff:0:0:0/96', 'IPv4-translated'],
    ['64:ff9b:1::/48', 'local-use NAT64'],
    ['100::/64', 'discard'],
    ['100:0:0:1::/64', 'dummy'],
    ['2001::/32', 'Teredo'],
    ['2001:2::/48', 'benchmarking'],
    ['2001::/23', 'reserved for protocols'],
    ['2001:db8::/32', 'documentation'],
    ['2002::/16', '6to4'],
    ['3fff::/20', 'documentation'],
    ['5f00::/16', 'segment routing'],
    ['fc00::/7', 'unique local'],
    ['fe80::/10', 'link-local'],
    ['fec0::/10', 'site-local'],
    ['ff00::/8', 'multicast'],
  ] as const
).map(([text, kind]) => [blockOf(text), kind])

const GLOBAL_UNICAST = blockOf('2000::/3')
/** The prefix of NAT64 that a network may use for the whole of IPv4. Source: https://www.rfc-editor.org/rfc/rfc6052 */
const NAT64 = blockOf('64:ff9b::/96')
/** The third quarter of an ISATAP address, its global bit aside. Source: https://www.rfc-editor.org/rfc/rfc5214#section-6.1 */
const ISATAP = 0x0000_5efen
const ISATAP_MASK = 0xfdff_ffffn

/** What an address is for, when it is not for reaching somebody on the Internet; undefined when it is. */
export function specialPurposeOf(address: IpAddress): string | undefined {
  const found = SPECIAL.find(([block]) => isInBlock(address, block))
  if (found) return found[1]
  const carried = carriedAddress(address)
  const carriedPurpose = carried && specialPurposeOf(carried)
  if (carriedPurpose !== undefined) return `${carriedPurpose}, inside an IPv6 address`
  if (address.family === 4 || carried || isInBlock(address, GLOBAL_UNICAST)) return undefined
  return 'not global unicast'
}

/**
 * The IPv4 address that a gateway takes out of an IPv6 one: NAT64 and ISATAP. The other forms that carry one (6to4, Teredo, compatible,
 * translated) are refused as a whole, whatever they carry.
 *
 * n.b. a network may use NAT64 prefixes of its own; those nobody can see from here, so they belong on the deny list.
 */
export function carriedAddress({ family, value }: IpAddress): IpAddress | undefined {
  if (family === 4) return undefined
  const isCarrier = isInBlock({ family, value }, NAT64) || ((value >> 32n) & ISATAP_MASK) === ISATAP
  return isCarrier ? ipv4Of(value) : undefined
}

function blockOf(text: string): IpBlock {
  const block = parseIpBlock(text)
  if (!block) throw new Error(`${text} is no block of addresses`)
  return block
}

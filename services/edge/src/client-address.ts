/** Whom connections are counted under: the address of the client, or of the network that is one client's. */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

/**
 * `trustedProxies`: how many proxies stand before the edge; each adds the address it was asked from to `X-Forwarded-For`. What stands
 * before theirs is the client's own word, and not believed.
 */
export function clientAddress(
  {
    headers,
    socket,
  }: Pick<IncomingMessage, 'headers'> & {
    socket: Pick<IncomingMessage['socket'], 'remoteAddress'>
  },
  trustedProxies: number,
): string {
  const peer = socket.remoteAddress ?? ''
  if (trustedProxies === 0) return network(peer)
  const forwarded = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',')
  const named = forwarded.map((entry) => entry.trim()).filter((entry) => isIP(entry) !== 0)
  return network(named.at(-trustedProxies) ?? named[0] ?? peer)
}

/** IPv4 as it is; of IPv6 the /64, which one client has all of. Source: https://www.rfc-editor.org/rfc/rfc6177 */
function network(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  if (isIP(plain) !== 6) return plain
  const [head = '', tail] = plain.toLowerCase().split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros =
    tail === undefined ? [] : Array(Math.max(0, 8 - left.length - right.length)).fill('0')
  const groups = [...left, ...zeros, ...right].slice(0, 4)
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}

/**
 * The URLs of callbacks: what is refused as it is written, before anything is looked up.
 *
 * A URL has to be written as it is meant. The parser of the platform would read `http://0x7f.1`, `http://２１３.1` and `http:\\a@b` as
 * something else than they seem to say; here each of them is refused, and the answer says how to write it.
 */
import { isIP } from 'node:net'
import { InvalidInputError } from '@signalbox/kit'
import type { AddressPolicy } from './address-policy.ts'
import { type Resolve, refusalAmong } from './resolving.ts'

export type CallbackScheme = 'http:' | 'https:' | 'amqp:' | 'amqps:'

const MAX_URL_CHARS = 2_048
const MAX_HOST_CHARS = 253

/** The port of each scheme when none is written. */
const DEFAULT_PORTS: Readonly<Record<CallbackScheme, number>> = {
  'http:': 80,
  'https:': 443,
  'amqp:': 5_672,
  'amqps:': 5_671,
}

const WITH_TLS: Readonly<Record<CallbackScheme, CallbackScheme>> = {
  'http:': 'https:',
  'https:': 'https:',
  'amqp:': 'amqps:',
  'amqps:': 'amqps:',
}

/** Below it other protocols live, which a request must not be written to. */
const FIRST_FREE_PORT = 1_024

export interface CallbackUrl {
  /** As it was written, apart from case: safe to show, there are no credentials in it. */
  readonly href: string
  readonly scheme: CallbackScheme
  /** A name in lower case, or an IP address without brackets. */
  readonly hostname: string
  /** The default of the scheme when none was written. */
  readonly port: number
  /** Scheme, host and port: what connections are shared by. */
  readonly origin: string
  /** Path and query. */
  readonly path: string
}

export interface CheckCallbackUrlOptions {
  /** Which schemes the caller can use; default `http:` and `https:`. Those without TLS also need the policy's `allowHttp`. */
  schemes?: readonly CallbackScheme[]
}

const HTTP_SCHEMES: readonly CallbackScheme[] = ['http:', 'https:']

/**
 * Takes a URL apart, or throws `InvalidInputError` that says what is wrong with it: longer than 2,048 characters, characters that have to be
 * encoded, a scheme that is none of `schemes` or without TLS, credentials, a fragment, a port below 1024 other than 80 and 443 (and
 * those of the policy), a host
 * that is no plain ASCII name or IP address in its usual form, or (code
 * `SB_ADDRESS_REFUSED`) an address that the policy refuses. The query of AMQP URLs is refused too.
 *
 * n.b. this says nothing of the addresses behind a name: `checkCallbackAddress` asks for them once, and what counts is the check that is
 * made at every connection.
 */
export function checkCallbackUrl(
  text: string,
  policy: AddressPolicy,
  { schemes = HTTP_SCHEMES }: CheckCallbackUrlOptions = {},
): CallbackUrl {
  const { scheme, authority, rest } = partsOf(text)
  checkScheme(scheme, schemes, policy)
  if (authority.includes('@')) refuse('credentials in a URL are not taken; give them beside it')
  if (rest.includes('#')) refuse('a fragment (#…) is never sent; leave it out')
  const isAmqp = scheme === 'amqp:' || scheme === 'amqps:'
  if (isAmqp && rest.includes('?')) refuse('an AMQP URL takes no query')

  const { host, port } = hostAndPortOf(authority, scheme)
  if (!isPortAllowed(port, isAmqp, policy)) refuse(`port ${port} is not one that may be reached`)
  const hostname = hostnameOf(host)
  const refusal = isIP(hostname) === 0 ? localRefusal(hostname, policy) : policy.refusalOf(hostname)
  if (refusal !== undefined) refuseAddress(hostname, refusal)

  const parsed = URL.parse(text)
  if (!parsed) return refuse('it cannot be read')
  const origin = `${scheme}//${host.toLowerCase()}:${port}`
  const path = `${parsed.pathname}${parsed.search}`
  return { href: parsed.href, scheme, hostname, port, origin, path: path === '' ? '/' : path }
}

/**
 * Looks the host up as well: what an author should hear at once and not at the first delivery. Throws `InvalidInputError` when the host
 * has an address that may not be reached; says nothing of a host that has none, or none now. The addresses are not in the error, because
 * they would tell a stranger how the network is made inside.
 */
export async function checkCallbackAddress(
  url: CallbackUrl,
  policy: AddressPolicy,
  resolve: Resolve,
): Promise<void> {
  if (isIP(url.hostname) !== 0) return
  const addresses = await resolve(url.hostname).catch(() => [])
  const refusal = refusalAmong(addresses, policy)
  if (refusal !== undefined) refuseAddress(url.hostname, refusal)
}

/** The parts of a URL as they are written; the platform's parser would have corrected them. */
function partsOf(text: string): { scheme: string; authority: string; rest: string } {
  if (text.length > MAX_URL_CHARS) refuse(`it is longer than ${MAX_URL_CHARS} characters`)
  if (/[^\x21-\x7e]/.test(text)) {
    refuse('it may hold only visible ASCII; encode others: xn--… in the host, %… after it')
  }
  if (/[\\"<>^`{|}]/.test(text)) refuse('it may not hold any of \\ " < > ^ ` { | }; encode them')
  const match = /^([a-z][a-z0-9+.-]*:)\/\/([^/?#]*)(.*)$/i.exec(text)
  if (!match) return refuse('it does not begin with a scheme and //')
  const [, scheme = '', authority = '', rest = ''] = match
  return { scheme: scheme.toLowerCase(), authority, rest }
}

function checkScheme(
  scheme: string,
  schemes: readonly CallbackScheme[],
  policy: AddressPolicy,
): asserts scheme is CallbackScheme {
  const known = schemes.find((candidate) => candidate === scheme)
  const wanted = policy.allowHttp ? schemes : schemes.filter((one) => WITH_TLS[one] === one)
  if (known !== undefined && wanted.includes(known)) return
  const names = wanted.map((one) => `${one}//`).join(' or ')
  refuse(`the scheme must be ${names}, not ${scheme}//`)
}

function isPortAllowed(port: number, isAmqp: boolean, policy: AddressPolicy): boolean {
  if (port >= FIRST_FREE_PORT || policy.allowPorts.has(port)) return true
  return !isAmqp && (port === DEFAULT_PORTS['http:'] || port === DEFAULT_PORTS['https:'])
}

function hostAndPortOf(authority: string, scheme: CallbackScheme): { host: string; port: number } {
  const match = /^(\[[^\]]*\]|[^:[\]]*)(?::(.*))?$/.exec(authority)
  if (!match) return refuse('its host and port cannot be read')
  const [, host = '', portText] = match
  if (portText === undefined) return { host, port: DEFAULT_PORTS[scheme] }
  const port = Number(portText)
  if (!/^[1-9]\d{0,4}$/.test(portText) || port > 65_535) refuse('its port is not 1 to 65535')
  return { host, port }
}

function hostnameOf(host: string): string {
  if (host === '') refuse('it has no host')
  if (host.includes('%')) refuse('its host may hold no %; it is a plain name or an IP address')
  if (host.startsWith('[')) {
    const address = host.slice(1, -1)
    if (isIP(address) !== 6) refuse(`${host} is not an IPv6 address`)
    return address.toLowerCase()
  }
  if (isIP(host) === 4) return host
  if (host.endsWith('.')) refuse('its host may not end with a dot')
  if (host.length > MAX_HOST_CHARS || !host.split('.').every(isLabel)) {
    refuse('its host is not a name of letters, digits and hyphens between dots')
  }
  // Source: https://url.spec.whatwg.org/#ends-in-a-number-checker
  if (/^(\d+|0x[0-9a-f]*)$/i.test(host.split('.').at(-1)!)) {
    refuse('an IPv4 address is written as four decimal numbers, as 192.0.2.1')
  }
  return host.toLowerCase()
}

/** n.b. with underscores, which DNS has and certificates of real services are issued for. */
function isLabel(label: string): boolean {
  return /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label)
}

/** `localhost` and what is below it are this machine, whatever DNS says. Source: https://www.rfc-editor.org/rfc/rfc6761#section-6.3 */
function localRefusal(hostname: string, policy: AddressPolicy): string | undefined {
  if (hostname !== 'localhost' && !hostname.endsWith('.localhost')) return undefined
  return policy.refusalOf('127.0.0.1') ?? policy.refusalOf('::1')
}

function refuse(
  why: string,
  code: 'SB_INVALID_INPUT' | 'SB_ADDRESS_REFUSED' = 'SB_INVALID_INPUT',
): never {
  throw new InvalidInputError(`the URL cannot be used: ${why}`, {
    code,
    details: [{ path: 'url', message: why }],
  })
}

function refuseAddress(hostname: string, refusal: string): never {
  refuse(`${hostname} may not be reached: ${refusal}`, 'SB_ADDRESS_REFUSED')
}

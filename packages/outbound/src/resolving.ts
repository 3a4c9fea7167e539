/**
 * Looking names up, and the look-up that a socket makes when it connects.
 *
 * The check is in the look-up because its answer is the very list that the socket connects to, whichever of them it tries and in
 * whatever order (`autoSelectFamily`): nothing is looked up again in between, so a name that answers differently the second time gains nothing.
 */
import { lookup, Resolver } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { AppError } from '@signalbox/kit'
import type { AddressPolicy } from './address-policy.ts'

export interface ResolvedAddress {
  readonly address: string
  readonly family: 4 | 6
}

/** All addresses of a name. Rejects with an error that has a `code` (`ENOTFOUND`, `ETIMEOUT`, …) when there are none. */
export type Resolve = (hostname: string) => Promise<readonly ResolvedAddress[]>

export interface DnsResolverOptions {
  /** For one question; asked again once. Default 2,000 ms. */
  timeoutMs?: number | undefined
  /** DNS servers, `host` or `host:port`; default the system's. */
  servers?: readonly string[] | undefined
}

const DEFAULT_TIMEOUT_MS = 2_000
const TRIES = 2
/** As many of a name's addresses are tried at most. */
const MAX_ADDRESSES = 8

/**
 * Asks DNS, and nothing else: no hosts file, no search domains, and not the system's own look-up, four of which at a time are all that a
 * process has, so that strangers' silent name servers would hold up everybody. `localhost` and what is below it is this machine.
 */
export function createDnsResolver(options: DnsResolverOptions = {}): Resolve {
  const resolver = new Resolver({ timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS, tries: TRIES })
  if (options.servers) resolver.setServers(options.servers)
  return async (hostname) => {
    if (hostname === 'localhost' || hostname.endsWith('.localhost')) {
      return [
        { address: '127.0.0.1', family: 4 },
        { address: '::1', family: 6 },
      ]
    }
    const [ipv4, ipv6] = await Promise.allSettled([
      resolver.resolve4(hostname),
      resolver.resolve6(hostname),
    ])
    const addresses = [
      ...(ipv4.status === 'fulfilled'
        ? ipv4.value.map((address) => ({ address, family: 4 as const }))
        : []),
      ...(ipv6.status === 'fulfilled'
        ? ipv6.value.map((address) => ({ address, family: 6 as const }))
        : []),
    ]
    if (addresses.length === 0 && ipv4.status === 'rejected') throw ipv4.reason
    return addresses
  }
}

/** As the system looks names up, with its hosts file and search domains: for hosts that an operator chose. */
export const resolveBySystem: Resolve = async (hostname) => {
  const found = await lookup(hostname, { all: true })
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }))
}

/** What was to be connected to may not be reached. Says why, and not which address it was; retryable, because what a name leads to may change. */
export class AddressRefusedError extends AppError {
  constructor(hostname: string, refusal: string) {
    super('SB_ADDRESS_REFUSED', `${hostname} may not be reached: ${refusal}`, { retryable: true })
  }
}

/** A name of which one address is refused is refused as a whole: what leads inside only sometimes is no mistake that has to work. */
export function refusalAmong(
  addresses: readonly ResolvedAddress[],
  policy: AddressPolicy,
): string | undefined {
  for (const { address } of addresses) {
    const refusal = policy.refusalOf(address)
    if (refusal !== undefined) return `it has an address that is ${refusal}`
  }
  return undefined
}

/**
 * A `lookup` for `net.connect`, `tls.connect` and everything that hands its options to them: gives only addresses that the policy allows, or
 * an `AddressRefusedError`.
 *
 * n.b. no look-up is made for a host that is an IP address: whoever connects checks that one himself (`checkCallbackUrl` does).
 */
export function createGuardedLookup(policy: AddressPolicy, resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (found) => {
        const refusal = refusalAmong(found, policy)
        const [first] = found
        if (refusal !== undefined) callback(new AddressRefusedError(hostname, refusal), [])
        else if (!first) callback(notFound(hostname), [])
        else if (options.all) callback(null, found.slice(0, MAX_ADDRESSES).map(copy))
        else callback(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    )
  }
}

function copy({ address, family }: ResolvedAddress) {
  return { address, family }
}

function notFound(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' })
}

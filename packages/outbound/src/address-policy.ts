/**
 * Which addresses the requests of strangers may reach.
 *
 * | an address is                                                                  |         |
 * | ------------------------------------------------------------------------------ | ------- |
 * | no address in full form, or one with a zone                                    | refused |
 * | in the deny list, or carries (NAT64, ISATAP) an IPv4 address that is           | refused |
 * | in the allow list                                                              | allowed |
 * | of special purpose by IANA's registries, or carries an IPv4 address that is    | refused |
 * | any other                                                                      | allowed |
 */
import { InvalidInputError } from '@signalbox/kit'
import {
  type IpAddress,
  type IpBlock,
  isInBlock,
  parseIpAddress,
  parseIpBlock,
} from './ip-address.ts'
import { carriedAddress, specialPurposeOf } from './special-purpose.ts'

export interface AddressPolicyOptions {
  /** Blocks (`10.1.0.0/16`) or single addresses that may be reached although they are inside; default none. */
  allow?: readonly string[] | undefined
  /** Blocks or single addresses that may not be reached, whatever `allow` says; default none. */
  deny?: readonly string[] | undefined
  /** Also without TLS: `http:`, and `amqp:`. Default false. */
  allowHttp?: boolean | undefined
  /** Ports below 1024 that may be reached besides those of the schemes themselves; default none. */
  allowPorts?: readonly number[] | undefined
}

export interface AddressPolicy {
  readonly allowHttp: boolean
  readonly allowPorts: ReadonlySet<number>
  /** Why an address may not be reached ("loopback", "private", "denied"), or undefined. Never throws; what is no address is refused. */
  refusalOf(address: string): string | undefined
}

/** Throws `InvalidInputError` that names every entry which is no block of addresses. */
export function createAddressPolicy(options: AddressPolicyOptions = {}): AddressPolicy {
  const allow = blocksOf('allow', options.allow ?? [])
  const deny = blocksOf('deny', options.deny ?? [])
  return {
    allowHttp: options.allowHttp ?? false,
    allowPorts: new Set(options.allowPorts),
    refusalOf(text) {
      const address = parseIpAddress(text)
      if (!address) return 'not an IP address in full form'
      const carried = carriedAddress(address)
      if (isInAny(address, deny) || (carried && isInAny(carried, deny))) return 'denied'
      if (isInAny(address, allow)) return undefined
      return specialPurposeOf(address)
    },
  }
}

function isInAny(address: IpAddress, blocks: readonly IpBlock[]): boolean {
  return blocks.some((block) => isInBlock(address, block))
}

function blocksOf(list: string, texts: readonly string[]): IpBlock[] {
  const blocks = texts.map(parseIpBlock)
  const details = texts.flatMap((text, index) =>
    blocks[index]
      ? []
      : [{ path: `${list}[${index}]`, message: `${text} is no block of addresses` }],
  )
  if (details.length === 0) return blocks.filter((block) => block !== undefined)
  throw new InvalidInputError(details.map(({ message }) => message).join('; '), { details })
}

/** What a process reads from its environment that checks or delivers callbacks. */
import { InvalidInputError } from '@signalbox/kit'
import { z } from 'zod'
import { type AddressPolicyOptions, createAddressPolicy } from './address-policy.ts'
import { sealingKeysOf } from './sealing.ts'

/** Texts with commas between. */
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
)

const blocks = list.refine(areBlocks, 'must be blocks of addresses, as 10.1.0.0/16,fd00::/8')

/** For the policy: of whoever checks callbacks or delivers them. */
export const addressPolicyConfigShape = {
  SIGNALBOX_CALLBACK_ALLOW: blocks.default([]).meta({
    description:
      'Addresses inside that callbacks may reach although they are private, as blocks with commas between.',
  }),
  SIGNALBOX_CALLBACK_DENY: blocks.default([]).meta({
    description: 'Addresses that callbacks may not reach, whatever else is allowed, as blocks.',
  }),
  SIGNALBOX_CALLBACK_ALLOW_HTTP: z.stringbool().default(false).meta({
    description: 'Take callbacks without TLS too: `http://` and `amqp://`.',
  }),
}

/** The policy that this configuration asks for. */
export function addressPolicyOptions(config: {
  SIGNALBOX_CALLBACK_ALLOW: readonly string[]
  SIGNALBOX_CALLBACK_DENY: readonly string[]
  SIGNALBOX_CALLBACK_ALLOW_HTTP: boolean
}): AddressPolicyOptions {
  return {
    allow: config.SIGNALBOX_CALLBACK_ALLOW,
    deny: config.SIGNALBOX_CALLBACK_DENY,
    allowHttp: config.SIGNALBOX_CALLBACK_ALLOW_HTTP,
  }
}

/** For the secrets of listeners: of whoever stores or uses them. */
export const sealingConfigShape = {
  SIGNALBOX_SEALING_KEY: z
    .string()
    .refine(areKeys, 'must be keys of 32 bytes, in hex or base64')
    .meta({
      description:
        'Key that secrets of listeners are stored under: 32 bytes in hex or base64 (`openssl rand -hex 32`). Several with commas between: the first seals, all open.',
    }),
}

function areBlocks(allow: readonly string[]): boolean {
  return succeeds(() => createAddressPolicy({ allow }), InvalidInputError)
}

function areKeys(keys: string): boolean {
  return succeeds(() => sealingKeysOf(keys), Error)
}

function succeeds(work: () => unknown, Failure: abstract new (...args: never[]) => Error): boolean {
  try {
    work()
    return true
  } catch (error) {
    if (error instanceof Failure) return false
    throw error
  }
}

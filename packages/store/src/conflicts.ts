/** The refusals that both engines tell in the same words. */
import type { Chain } from '@signalbox/contracts'
import { ConflictError, TooManyError } from '@signalbox/kit'

/** An account has at most one enabled default chain. */
export function isEnabledDefault(chain: Chain): boolean {
  return chain.enabled && 'default' in chain.trigger
}

export function defaultChainConflict(chainId: string, defaultChainId: string): ConflictError {
  const message = `chain ${defaultChainId} is the default chain already; disable or delete it before ${chainId} becomes it`
  return new ConflictError(message, { details: [{ path: 'trigger.default', message }] })
}

export function documentConflict(
  collection: string,
  key: string,
  expectedRevision: number,
  foundRevision: number,
): ConflictError {
  const found = foundRevision === 0 ? 'there is none' : `it is at revision ${foundRevision}`
  const expected = expectedRevision === 0 ? 'none to exist' : `revision ${expectedRevision}`
  return new ConflictError(`${collection} ${key}: expected ${expected}, but ${found}`)
}

/** `what` in the plural, as `contacts`. */
export function tooMany(what: string, bound: number): TooManyError {
  const message = `the account has ${bound} ${what}, which is as many as it may have: delete some, or raise the bound`
  return new TooManyError(message)
}

export function listenerExistsConflict(listenerId: string): ConflictError {
  return new ConflictError(`there is a listener "${listenerId}" already`)
}

/** What is wrong with a callback is said when it is registered: by type, with the path of each fault. */
import { type CallbackInput, VUMI_GO } from '@signalbox/contracts'
import { InvalidInputError } from '@signalbox/kit'
import {
  type AddressPolicy,
  AMQP_SCHEMES,
  type CallbackScheme,
  checkCallbackAddress,
  checkCallbackExchange,
  checkCallbackHeaders,
  checkCallbackUrl,
  type Resolve,
} from '@signalbox/outbound'

export interface CallbackCheckDeps {
  policy: AddressPolicy
  resolve: Resolve
  /** Of our own exchanges. */
  namespace: string
}

type Check<Type extends CallbackInput['type']> = (
  callback: Extract<CallbackInput, { type: Type }>,
  deps: CallbackCheckDeps,
) => Promise<void>

const HTTP_SCHEMES: readonly CallbackScheme[] = ['http:', 'https:']

const CHECKS: { [Type in CallbackInput['type']]: Check<Type> } = {
  async http({ url, headers = {}, secret_headers = {} }, deps) {
    await checkUrl(url, HTTP_SCHEMES, deps)
    checkCallbackHeaders(headers)
    checkCallbackHeaders(secret_headers)
    // n.b. of both together: how many there are, and that none comes twice.
    const marked = Object.entries(secret_headers).map(([name, value]) => [
      Object.hasOwn(headers, name) ? name.toUpperCase() : name,
      value,
    ])
    checkCallbackHeaders({ ...headers, ...Object.fromEntries(marked) })
  },
  webhook: (callback, deps) => CHECKS.http({ ...callback, type: 'http' }, deps),
  async amqp({ exchange, url, headers = {} }, deps) {
    checkCallbackHeaders(headers)
    if (exchange.includes('${{')) refuse('exchange', 'cannot be a template')
    if (url !== undefined) {
      checkCallbackExchange(exchange)
      return checkUrl(url, AMQP_SCHEMES, deps)
    }
    checkCallbackExchange(exchange, deps.namespace)
    // n.b. the bridge takes events of any account from it.
    if (exchange === VUMI_GO.exchange) {
      refuse('exchange', 'is not one that callbacks may publish to')
    }
  },
}

/** Throws `InvalidInputError`; `SB_ADDRESS_REFUSED` for an address that may not be reached, now. */
export async function checkCallback(
  callback: CallbackInput,
  deps: CallbackCheckDeps,
): Promise<void> {
  switch (callback.type) {
    case 'http':
      return CHECKS.http(callback, deps)
    case 'webhook':
      return CHECKS.webhook(callback, deps)
    case 'amqp':
      return CHECKS.amqp(callback, deps)
  }
}

async function checkUrl(
  text: string,
  schemes: readonly CallbackScheme[],
  { policy, resolve }: CallbackCheckDeps,
): Promise<void> {
  await checkCallbackAddress(checkCallbackUrl(text, policy, { schemes }), policy, resolve)
}

function refuse(path: string, message: string): never {
  throw new InvalidInputError(`${path} ${message}`, { details: [{ path, message }] })
}

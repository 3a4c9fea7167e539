/** The connector of undici's clients: TCP and TLS to addresses that the policy allows, and to no other. */
import { isIP } from 'node:net'
import { buildConnector } from 'undici'
import type { AddressPolicy } from './address-policy.ts'
import { ATTEMPT_TIMEOUT_MS, trusting } from './guarded-dial.ts'
import { AddressRefusedError, createGuardedLookup, type Resolve } from './resolving.ts'

export interface GuardedConnectorOptions {
  /** Name look-up, TCP and TLS together. n.b. undici counts in steps of half a second. */
  connectTimeoutMs: number
  /** Certificate authorities in PEM, besides those of Node. */
  ca?: readonly string[] | undefined
  /** TLS sessions kept for resumption. */
  maxTlsSessions: number
}

export interface GuardedConnectorDeps {
  policy: AddressPolicy
  resolve: Resolve
}

/**
 * Checks three times: an IP address in the URL before anything is done, the addresses of a name when it is looked up to connect, and the
 * address that the socket has in the end. Certificates are verified, TLS is 1.2 or later, HTTP is 1.1.
 */
export function createGuardedConnector(
  { connectTimeoutMs, ca, maxTlsSessions }: GuardedConnectorOptions,
  { policy, resolve }: GuardedConnectorDeps,
): buildConnector.connector {
  const connect = buildConnector({
    timeout: connectTimeoutMs,
    lookup: createGuardedLookup(policy, resolve),
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ATTEMPT_TIMEOUT_MS,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    allowH2: false,
    maxCachedSessions: maxTlsSessions,
    ...trusting(ca),
  })
  return (options, callback) => {
    const { hostname } = options
    const refusal = isIP(hostname) === 0 ? undefined : policy.refusalOf(hostname)
    if (refusal !== undefined) {
      callback(new AddressRefusedError(hostname, refusal), null)
      return
    }
    connect(options, (...[error, socket]) => {
      if (error) return callback(error, null)
      const address = socket.remoteAddress ?? ''
      const late = policy.refusalOf(address)
      if (late === undefined) return callback(null, socket)
      socket.destroy()
      callback(new AddressRefusedError(hostname, late), null)
    })
  }
}

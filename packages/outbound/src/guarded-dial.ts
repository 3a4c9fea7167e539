/** Connecting sockets, over TLS or without, to addresses that the policy allows, and to no other: for everything that is not HTTP. */
import { connect, isIP, type Socket } from 'node:net'
import { getCACertificates, connect as tlsConnect } from 'node:tls'
import type { GuardedConnectorDeps } from './guarded-connector.ts'
import { AddressRefusedError, createGuardedLookup } from './resolving.ts'

/** How long one of several addresses is tried before the next is. */
export const ATTEMPT_TIMEOUT_MS = 1_000

export interface DialTarget {
  hostname: string
  port: number
  /** Verifies the certificate, from TLS 1.2 on. */
  isTls: boolean
  /** Certificate authorities in PEM, besides those of Node. */
  ca?: readonly string[] | undefined
}

/** Certificate authorities of Node and these, as TLS options. */
export function trusting(ca: readonly string[] | undefined): { ca?: string[] } {
  return ca ? { ca: [...getCACertificates('default'), ...ca] } : {}
}

/**
 * A connected socket; the caller closes it. Checks an address in the target before anything is done, those of a name when it is looked up to
 * connect, and the one that the socket has in the end. Rejects with `AddressRefusedError`, with the error of the system, or when `signal` aborts.
 */
export async function dialGuarded(
  { hostname, port, isTls, ca }: DialTarget,
  { policy, resolve }: GuardedConnectorDeps,
  signal: AbortSignal,
): Promise<Socket> {
  const refusal = isIP(hostname) === 0 ? undefined : policy.refusalOf(hostname)
  if (refusal !== undefined) throw new AddressRefusedError(hostname, refusal)
  const options = {
    host: hostname,
    port,
    lookup: createGuardedLookup(policy, resolve),
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ATTEMPT_TIMEOUT_MS,
  }
  const { promise, resolve: connected, reject } = Promise.withResolvers<void>()
  const socket = isTls
    ? tlsConnect(
        {
          ...options,
          ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
          minVersion: 'TLSv1.2',
          rejectUnauthorized: true,
          ...trusting(ca),
        },
        connected,
      )
    : connect(options, connected)
  const giveUp = (): void => void socket.destroy(new Error('given up'))
  socket.once('error', reject)
  signal.addEventListener('abort', giveUp)
  try {
    if (signal.aborted) giveUp()
    await promise
    const late = policy.refusalOf(socket.remoteAddress ?? '')
    if (late !== undefined) throw new AddressRefusedError(hostname, late)
    return socket
  } catch (error) {
    socket.on('error', () => undefined)
    socket.destroy()
    throw error
  } finally {
    socket.off('error', reject)
    signal.removeEventListener('abort', giveUp)
  }
}

/** A part of a shared server that one test file has to itself, and hands back clean. */
import { randomBytes } from 'node:crypto'
import { waitFor } from '@signalbox/private-brokers'

/** What was just closed may take this long to be gone from the server's own list. */
const CLOSING_GRACE_MS = 3_000

export interface Lease extends AsyncDisposable {
  /** Removes all of it. Throws, naming them, when connections to it are still open. Idempotent; the same as disposing. */
  release(): Promise<void>
}

/** A name no other lease has; fits where a namespace does. */
export function leaseName(): string {
  return `t-${randomBytes(8).toString('hex')}`
}

export interface LeaseOptions {
  /** As the error calls it: "RabbitMQ vhost t-…". */
  what: string
  /** Descriptions of the connections that are open now. */
  openConnections: () => Promise<string[]>
  /** Removes all of it, connections included. */
  remove: () => Promise<unknown>
}

export function createLease({ what, openConnections, remove }: LeaseOptions): Lease {
  let released: Promise<void> | undefined
  async function release() {
    let left: string[] = []
    try {
      await waitFor(
        async () => {
          left = await openConnections()
          return left.length === 0
        },
        { what: `the connections to ${what} to close`, timeoutMs: CLOSING_GRACE_MS },
      )
    } catch (error) {
      if (left.length === 0) throw error
      throw new Error(`${what} is released with open connections: ${left.join('; ')}`)
    } finally {
      await remove()
    }
  }
  const once = () => {
    released ??= release()
    return released
  }
  return { release: once, [Symbol.asyncDispose]: once }
}

/** How events are published: over AMQP as a source does, or with one HTTP request each. Nothing is sent twice. */
import { type Broker, createPublisher } from '@signalbox/broker'
import type { VumiApiEvent } from '@signalbox/contracts'
import { Pool } from 'undici'

/** Resolves when it was confirmed; rejects when it was not: it may be there or not. */
export type Publish = (event: VumiApiEvent) => Promise<void>

const HTTP_CONNECTIONS = 64
const HTTP_TIMEOUT_MS = 15_000

export function publishOverAmqp(broker: Pick<Broker, 'publish' | 'topology'>): Publish {
  const publisher = createPublisher(broker)
  return (event) => publisher.event(event)
}

export interface HttpPublishing extends AsyncDisposable {
  publish: Publish
}

export function openHttpPublishing(options: { apiUrl: string; adminKey: string }): HttpPublishing {
  const { apiUrl, adminKey } = options
  const pool = new Pool(new URL(apiUrl).origin, {
    connections: HTTP_CONNECTIONS,
    headersTimeout: HTTP_TIMEOUT_MS,
    bodyTimeout: HTTP_TIMEOUT_MS,
  })
  const basePath = new URL(apiUrl).pathname.replace(/\/$/, '')
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
  return {
    async publish(event) {
      const { statusCode, body } = await pool.request({
        method: 'POST',
        path: `${basePath}/v1/accounts/${event.account_key}/events`,
        headers,
        body: JSON.stringify(event),
      })
      await body.dump()
      if (statusCode !== 202) throw new Error(`POST /events answered ${statusCode}`)
    },
    [Symbol.asyncDispose]: () => pool.destroy(),
  }
}

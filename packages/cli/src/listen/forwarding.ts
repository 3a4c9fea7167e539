/** An event as the request that a callback would be: the same body, headers and signature, to a URL of the one who listens. */
import type { VumiApiEvent } from '@signalbox/client'
import { derivedUuid } from '@signalbox/contracts'
import {
  type CallbackMethod,
  checkCallbackHeaders,
  checkCallbackUrl,
  createAddressPolicy,
  createHttpDelivery,
  createSigner,
  type DeliveryOutcome,
  resolveBySystem,
} from '@signalbox/outbound'

export interface ForwardingOptions {
  url: string
  method: CallbackMethod
  headers: Readonly<Record<string, string>>
  /** Sign; none: not signed. */
  secrets: readonly string[]
  timeoutMs: number
}

export interface Forwarding extends AsyncDisposable {
  /** Never rejects: whatever happens is an outcome. */
  forward(event: VumiApiEvent): Promise<DeliveryOutcome>
}

/** Throws `InvalidInputError` for a URL, a header or a secret that cannot be used. */
export function createForwarding(options: ForwardingOptions): Forwarding {
  const { url, method, headers, secrets, timeoutMs } = options
  // n.b. the one who listens chose the URL for his own machine: every address and port may be reached.
  const policy = createAddressPolicy({
    allow: ['0.0.0.0/0', '::/0'],
    allowHttp: true,
    allowPorts: [Number(URL.parse(url)?.port ?? 0)].filter((port) => port > 0),
  })
  checkCallbackUrl(url, policy)
  checkCallbackHeaders(headers)
  const signer = createSigner()
  const signatureOf = (id: string, body: string) =>
    secrets.length === 0
      ? {}
      : { ...signer.headersOf({ id, timestampMs: Date.now(), body, secrets }) }
  signatureOf('check', '')
  const http = createHttpDelivery({ timeoutMs }, { policy, resolve: resolveBySystem })

  return {
    forward(event) {
      const body = JSON.stringify(event)
      // The same whenever the event is forwarded, so that a receiver can know repeats.
      const id = derivedUuid('listen', event.account_key, event.event_id)
      return http.deliver({ url, method, headers, body, ownHeaders: signatureOf(id, body) })
    },
    [Symbol.asyncDispose]: () => http.close(),
  }
}

/** Listeners as the api makes them, and endpoints of this machine, for tests of delivering. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Callback, Delivery, Listener } from '@signalbox/contracts'
import {
  createAddressPolicy,
  createSealer,
  newSigningSecret,
  resolveBySystem,
} from '@signalbox/outbound'
import { mendListenerChain, type Store } from '@signalbox/store'

export const SEALING_KEY = '0123456789abcdef'.repeat(4)
export const sealer = createSealer({ keys: SEALING_KEY })
export const loopback = {
  policy: createAddressPolicy({ allow: ['127.0.0.0/8', '::1'], allowHttp: true }),
  resolve: resolveBySystem,
}

export interface ListenerSeed {
  /** Default: over HTTP, to nowhere. */
  callback?: Callback
  /** In clear; the newest first. */
  secrets?: readonly string[]
  /** Secrets that sign until their time only. */
  oldSecrets?: readonly { secret: string; until: string }[]
  /** In clear, by their place in the callback. */
  callbackSecrets?: Record<string, string>
  limits?: Listener['limits']
  retry?: Listener['retry']
  eventTypes?: string[]
}

type ListenerStores = Pick<Store, 'listeners' | 'chains'>

/** Creates one with its chain, as the api does. Resolves to its secrets. */
export async function putListener(
  store: ListenerStores,
  accountKey: string,
  listenerId: string,
  seed: ListenerSeed = {},
): Promise<readonly string[]> {
  const { secrets = [newSigningSecret()], oldSecrets = [], callbackSecrets = {} } = seed
  const seal = (text: string) => sealer.seal(text, [accountKey, listenerId])
  const signing = (secret: string) => ({
    sealed: seal(secret),
    scheme: secret.startsWith('whsk_') ? ('ed25519' as const) : ('hmac-sha256' as const),
  })
  const now = new Date().toISOString()
  const { callback = { type: 'http', url: 'https://example.com/hook' } } = seed
  await store.listeners.create(
    accountKey,
    {
      listener_id: listenerId,
      name: listenerId,
      callback,
      ...(seed.limits === undefined ? {} : { limits: seed.limits }),
      ...(seed.retry === undefined ? {} : { retry: seed.retry }),
      ...(seed.eventTypes === undefined ? {} : { event_types: seed.eventTypes }),
      state: 'active',
      created_at: now,
      updated_at: now,
      version: 1,
    },
    {
      signing: [
        ...secrets.map(signing),
        ...oldSecrets.map(({ secret, until }) => ({ ...signing(secret), until })),
      ],
      callback: Object.fromEntries(
        Object.entries(callbackSecrets).map(([place, text]) => [place, seal(text)]),
      ),
    },
  )
  await mendListenerChain(store, accountKey, listenerId)
  return secrets
}

export async function setListenerState(
  store: ListenerStores,
  accountKey: string,
  listenerId: string,
  state: Listener['state'],
): Promise<void> {
  await store.listeners.update(accountKey, listenerId, (kept) => ({
    ...kept,
    listener: { ...kept.listener, state },
  }))
  await mendListenerChain(store, accountKey, listenerId)
}

export function aDelivery(id: string, overrides: Partial<Delivery> = {}): Delivery {
  return {
    delivery_id: id,
    listener_id: 'l',
    event_id: 'e',
    conversation_type: 'poll',
    conversation_key: 'spring',
    event_type: 'poll_complete',
    run_id: 'r',
    invocation_id: 'i',
    attempt: 1,
    at: '2026-01-01T00:00:00.000Z',
    outcome: 'delivered',
    duration_ms: 1,
    request: {},
    ...overrides,
  }
}

export interface ReceivedRequest {
  path: string
  method: string
  headers: IncomingHttpHeaders
  body: string
}

export interface Endpoint extends AsyncDisposable {
  url: string
  requests: ReceivedRequest[]
}

/** A server on loopback; `answer` may leave a request without any. Default: 204. */
export async function openEndpoint(
  answer: (request: ReceivedRequest, response: ServerResponse) => void = (_request, response) =>
    response.writeHead(204).end(),
): Promise<Endpoint> {
  const requests: ReceivedRequest[] = []
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const { url: path = '', method = '', headers } = incoming
      const request = { path, method, headers, body: Buffer.concat(chunks).toString() }
      requests.push(request)
      answer(request, response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

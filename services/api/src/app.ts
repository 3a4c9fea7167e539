/**
 * The HTTP API: events in, chains, biographies, the handler catalog, contacts, keys and tokens.
 *
 * Every route under `/v1` says who may call it (`config.access`); what says nothing is the administrator's alone.
 */
import swagger from '@fastify/swagger'
import { type Broker, createPublisher } from '@signalbox/broker'
import { createHttpApp, type Log, type Metrics, type Readiness } from '@signalbox/kit'
import {
  type AddressPolicyOptions,
  createAddressPolicy,
  createDnsResolver,
  createSealer,
  type Resolve,
} from '@signalbox/outbound'
import type { Store } from '@signalbox/store'
import type { FastifyInstance } from 'fastify'
import { createAuthentication } from './authentication.ts'
import { biographies } from './biographies.ts'
import { chains } from './chains.ts'
import { connections } from './connections.ts'
import { contacts } from './contacts.ts'
import { deadLetters } from './dead-letters.ts'
import { deliveries } from './deliveries.ts'
import { openApiOptions } from './description.ts'
import { events } from './events.ts'
import { handlers, registration } from './handlers.ts'
import { inputValidator, readAbsentBody, requireBoundedNesting } from './input.ts'
import { keys } from './keys.ts'
import { createListenerKeeping } from './listener-keeping.ts'
import { listeners } from './listeners.ts'
import { DEFAULT_PATIENCE_MS } from './patience.ts'
import { createReplays } from './replays.ts'
import { createResends } from './resends.ts'
import { sources } from './sources.ts'
import { tokens } from './tokens.ts'
import { about } from './version.ts'

export interface ApiOptions {
  /** May do everything in every account. */
  adminKey: string
  /** Signs the WebSocket tokens; the edge verifies with the same. */
  tokenSecret: string
  /** How long a request waits for RabbitMQ, when it is not known to be away; default 5,000. */
  patienceMs?: number
  /** What secrets of listeners are stored under (`SIGNALBOX_SEALING_KEY`). */
  sealingKeys: string
  /** Where callbacks may go; default: public addresses, with TLS. */
  callbackAddresses?: AddressPolicyOptions
  /** Of the broker's exchanges, which callbacks may not publish to; default `signalbox`. */
  namespace?: string
}

export interface ApiDeps {
  broker: Pick<Broker, 'topology' | 'publish' | 'declare' | 'unavailableReason'>
  store: Pick<
    Store,
    | 'chains'
    | 'catalog'
    | 'contacts'
    | 'apiKeys'
    | 'biographies'
    | 'deadLetters'
    | 'listeners'
    | 'deliveries'
  > &
    Pick<Store, 'presence' | 'revocations' | 'unavailableReason'>
  log: Log
  readiness: Readiness
  metrics: Metrics
  /** Looks up the names in URLs of callbacks; default: DNS. */
  resolve?: Resolve
}

/** Disposing it closes the app: no new requests, those in hand are answered. */
export interface Api extends AsyncDisposable {
  readonly app: FastifyInstance
}

/** Sent with every answer: it is data of one caller, and never a page. */
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/** Not listening yet. The broker and the store stay the caller's to close. */
export function createApi(options: ApiOptions, deps: ApiDeps): Api {
  const { adminKey, tokenSecret, patienceMs = DEFAULT_PATIENCE_MS } = options
  const { broker, store, log, metrics, readiness } = deps
  readiness.add('rabbitmq', () => broker.unavailableReason())
  readiness.add('redis', () => store.unavailableReason())

  const patience = { patienceMs }
  const publisher = createPublisher(broker, patience)
  const replays = createReplays({
    ...store,
    broker: { publish: (message) => broker.publish(message, patience) },
    publisher,
    log,
  })

  const keeping = createListenerKeeping({
    ...store,
    sealer: createSealer({ keys: options.sealingKeys }),
    policy: createAddressPolicy(options.callbackAddresses),
    resolve: deps.resolve ?? createDnsResolver(),
    namespace: options.namespace ?? 'signalbox',
  })
  const resends = createResends({ ...store, broker, keeping, publisher })

  const app = createHttpApp({}, { log, readiness, metrics })
  app.removeContentTypeParser('text/plain')
  app.setValidatorCompiler(inputValidator())
  // Answers are held to their schemas by their types; a stored document from before a schema changed is still shown.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer))
  app.addHook('onRequest', async (_request, reply) => void reply.headers(HEADERS))

  void app.register(swagger, openApiOptions)
  void app.register(async (root) => {
    const hidden = { schema: { hide: true } }
    root.get('/', hidden, async () => about)
    root.get('/openapi.json', hidden, async () => app.swagger())
  })
  void app.register(
    async (v1) => {
      v1.decorateRequest('keyId', undefined)
      v1.addHook('onRequest', createAuthentication({ adminKey }, store))
      v1.addHook('preValidation', readAbsentBody)
      v1.addHook('preValidation', requireBoundedNesting)
      await v1.register(registration, { ...patience, broker, catalog: store.catalog })
      await v1.register(
        async (account) => {
          await account.register(events, { publisher, log, metrics })
          await account.register(biographies, { biographies: store.biographies })
          await account.register(chains, store)
          await account.register(listeners, { keeping, deliveries: store.deliveries })
          await account.register(deliveries, { ...store, keeping, resends })
          await account.register(sources, { publisher })
          await account.register(handlers, { catalog: store.catalog })
          await account.register(contacts, { contacts: store.contacts })
          await account.register(deadLetters, { ...store, replays })
          await account.register(keys, store)
          await account.register(tokens, { tokenSecret, revocations: store.revocations })
          await account.register(connections, { presence: store.presence })
        },
        { prefix: '/accounts/:account_key' },
      )
    },
    { prefix: '/v1' },
  )
  return { app, [Symbol.asyncDispose]: () => app.close() }
}

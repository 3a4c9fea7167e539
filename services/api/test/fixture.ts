/** An api on memory engines, and what tests do with it. */
import { type Broker, createMemoryBroker, createTopology, type Delivery } from '@signalbox/broker'
import type { ApiScope } from '@signalbox/contracts'
import { createMetrics, createReadiness, silentLog as log } from '@signalbox/kit'
import type { AddressPolicyOptions, Resolve } from '@signalbox/outbound'
import { createMemoryStore, type Store } from '@signalbox/store'
import type { InjectOptions, LightMyRequestResponse } from 'fastify'
import { type Api, createApi } from '../src/app.ts'

export const ADMIN_KEY = 'the-admin-key'
export const SEALING_KEYS = 'ab'.repeat(32)
export const TOKEN_SECRET = 'a secret of at least thirty-two characters'

export interface Fixture extends AsyncDisposable {
  readonly app: Api['app']
  readonly broker: Broker
  readonly store: Store
  /** As the administrator, unless `options` carries another credential. */
  call(options: InjectOptions, credential?: string): Promise<LightMyRequestResponse>
  /** A credential of the account with these scopes. */
  keyOf(accountKey: string, ...scopes: ApiScope[]): Promise<string>
  /** What reached the dispatcher's queue so far. */
  readonly published: readonly Delivery[]
}

export interface FixtureOverrides {
  broker?: Partial<Broker>
  store?: Partial<Store>
  callbackAddresses?: AddressPolicyOptions
  /** Default: every name leads to a public address. */
  resolve?: Resolve
}

export async function startFixture(overrides: FixtureOverrides = {}): Promise<Fixture> {
  const broker = createMemoryBroker({ topology: createTopology(), log })
  const store = createMemoryStore()
  const metrics = createMetrics({ withProcessMetrics: false })
  const { app, ...api } = createApi(
    {
      adminKey: ADMIN_KEY,
      tokenSecret: TOKEN_SECRET,
      sealingKeys: SEALING_KEYS,
      callbackAddresses: overrides.callbackAddresses ?? {},
    },
    {
      broker: { ...broker, ...overrides.broker },
      store: { ...store, ...overrides.store },
      log,
      metrics,
      readiness: createReadiness(),
      resolve: overrides.resolve ?? (async () => [{ address: '8.8.8.8', family: 4 }]),
    },
  )
  const published: Delivery[] = []
  await broker.consume(broker.topology.queue.dispatcherEvents, {}, async (delivery) => {
    published.push(delivery)
    return { kind: 'ack' }
  })
  const call = (options: InjectOptions, credential = ADMIN_KEY) =>
    app.inject({
      ...options,
      headers: { authorization: `Bearer ${credential}`, ...options.headers },
    })

  return {
    app,
    broker,
    store,
    call,
    published,
    async keyOf(accountKey, ...scopes) {
      const answer = await call({
        method: 'POST',
        url: `/v1/accounts/${accountKey}/keys`,
        payload: { name: 'a key', scopes },
      })
      return answer.json<{ credential: string }>().credential
    },
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]()
      await broker.close()
      await store.close()
    },
  }
}

/** An edge on given engines, listening on a free port, with what a test asks of it: sockets, tokens, published changes. */
import type { AddressInfo } from 'node:net'
import { type Broker, createMemoryBroker, createPublisher, createTopology } from '@signalbox/broker'
import { completeEvent, type Entity, type EventInput } from '@signalbox/contracts'
import { createMetrics, createReadiness, issueToken, newSecret, silentLog } from '@signalbox/kit'
import { createMemoryStore, type Store } from '@signalbox/store'
import { openSocket, type TestSocket } from '@signalbox/testkit'
import { createEdge, type EdgeOptions } from '../src/index.ts'

export const TOKEN_SECRET = newSecret()
export const ACCOUNT = 'demo'

export interface Engines {
  broker: Broker
  store: Store
}

export function memoryEngines(): Engines & AsyncDisposable {
  const broker = createMemoryBroker({
    topology: createTopology({ vumiBridge: true }),
    log: silentLog,
  })
  const store = createMemoryStore()
  return {
    broker,
    store,
    async [Symbol.asyncDispose]() {
      await broker.close()
      await store.close()
    },
  }
}

export type EdgeBed = Awaited<ReturnType<typeof startEdge>>

/** The engines stay the caller's. */
export async function startEdge({ broker, store }: Engines, options: Partial<EdgeOptions> = {}) {
  const readiness = createReadiness()
  const metrics = createMetrics({ withProcessMetrics: false })
  const edge = await createEdge(
    { tokenSecret: TOKEN_SECRET, ...options },
    { broker, store, log: silentLog, readiness, metrics },
  )
  await edge.app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = edge.app.server.address() as AddressInfo
  return {
    origin: `127.0.0.1:${port}`,
    readiness,
    /** The value of a sample as `/metrics` shows it: `name` or `name{label="value"}`. */
    async sample(name: string): Promise<number> {
      const line = (await metrics.metrics()).split('\n').find((text) => text.startsWith(`${name} `))
      return Number(line?.slice(name.length + 1) ?? Number.NaN)
    },
    async connect(subject: { personKey?: string } = {}, ttlSeconds = 60): Promise<TestSocket> {
      return openSocket(`ws://127.0.0.1:${port}/v1/socket`, {
        protocols: ['signalbox.v1', `bearer.${await tokenFor(subject, ttlSeconds)}`],
      })
    },
    [Symbol.asyncDispose]: () => edge[Symbol.asyncDispose](),
  }
}

export async function tokenFor(
  subject: { personKey?: string } = {},
  ttlSeconds = 60,
): Promise<string> {
  const { token } = await issueToken(TOKEN_SECRET, { accountKey: ACCOUNT, ...subject }, ttlSeconds)
  return token
}

export function subscribeTo(personKey: string, entity: Entity, requestId: number | string) {
  return {
    action: 'subscribe_state_change',
    request_id: requestId,
    data: { person_key: personKey, entity },
  }
}

export function unsubscribeFrom(personKey: string, entity: Entity, requestId: number | string) {
  return { ...subscribeTo(personKey, entity, requestId), action: 'unsubscribe_state_change' }
}

export function okFrame(requestId: number | string): string {
  return `{"request_id":${JSON.stringify(requestId)},"errors":[],"status":200}`
}

/** Sends and takes the answer. */
export async function ask(socket: TestSocket, request: object | string): Promise<string> {
  socket.send(request)
  return socket.next()
}

export function stateChange(personKey: string, entity: Entity, id: string): EventInput {
  return {
    account_key: ACCOUNT,
    conversation_key: 'c1',
    conversation_type: 'survey',
    event_type: `${entity}_state_change`,
    person_key: personKey,
    event_data: { id, identifier: `${entity}-1`, state: 'completed', previous_state: 'active' },
  }
}

export function changeFrame(requestId: number | string, entity: Entity, id: string): string {
  return `{"event":"state_change","request_id":${JSON.stringify(requestId)},"data":{"entity":"${entity}","id":"${id}","identifier":"${entity}-1","state":"completed","previous_state":"active"}}`
}

export async function publish(broker: Broker, ...events: EventInput[]): Promise<void> {
  const publisher = createPublisher(broker)
  for (const event of events) await publisher.event(completeEvent(event))
}

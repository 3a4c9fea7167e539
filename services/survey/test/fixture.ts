/** A survey on the memory engines, and what it published. */
import { createMemoryBroker, createTopology } from '@signalbox/broker'
import type { VumiApiEvent } from '@signalbox/contracts'
import { createMetrics, createReadiness, silentLog } from '@signalbox/kit'
import { createMemoryStore } from '@signalbox/store'
import { createSurvey, type SurveyOptions, seedDemoPoll } from '../src/index.ts'

export const ADMIN_KEY = 'the-admin-key-of-these-tests-0123456789'
export const TOKEN_SECRET = 'the-token-secret-of-these-tests-0123456'
export const ADMIN = { authorization: `Bearer ${ADMIN_KEY}` }

/** Everything that reaches the edge's queue, as it came. */
export async function openMemoryEngines() {
  const broker = createMemoryBroker({ topology: createTopology(), log: silentLog })
  const store = createMemoryStore()
  const events: VumiApiEvent[] = []
  await broker.consume(broker.topology.queue.dispatcherEvents, {}, async ({ body }) => {
    events.push(JSON.parse(body.toString()) as VumiApiEvent)
    return { kind: 'ack' }
  })
  return {
    broker,
    store,
    events,
    async [Symbol.asyncDispose]() {
      await broker.close()
      await store.close()
    },
  }
}

export async function startSurvey(options: Partial<SurveyOptions> = {}) {
  const stack = new AsyncDisposableStack()
  const engines = stack.use(await openMemoryEngines())
  await seedDemoPoll(engines.store, 'demo')
  const readiness = createReadiness()
  const survey = stack.use(
    createSurvey(
      { adminKey: ADMIN_KEY, tokenSecret: TOKEN_SECRET, ...options },
      {
        ...engines,
        log: silentLog,
        readiness,
        metrics: createMetrics({ withProcessMetrics: false }),
      },
    ),
  )
  return {
    ...engines,
    app: survey.app,
    readiness,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

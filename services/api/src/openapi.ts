/** The OpenAPI document without a running service: for docs/openapi.json. */
import { createMemoryBroker, createTopology } from '@signalbox/broker'
import { createMetrics, createReadiness, silentLog as log } from '@signalbox/kit'
import { createMemoryStore } from '@signalbox/store'
import { createApi } from './app.ts'

/** The same as `GET /openapi.json` answers. */
export async function buildOpenApi(): Promise<object> {
  await using broker = createMemoryBroker({ topology: createTopology(), log })
  await using store = createMemoryStore()
  const metrics = createMetrics({ withProcessMetrics: false })
  await using api = createApi(
    { adminKey: 'unused', tokenSecret: 'unused', sealingKeys: '0'.repeat(64) },
    { broker, store, log, metrics, readiness: createReadiness() },
  )
  await api.app.ready()
  return api.app.swagger()
}

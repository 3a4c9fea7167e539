/** The dispatcher process. */
import { createTopology, openAmqpBroker } from '@signalbox/broker'
import { createHttpApp, orExit, parseConfig, runService } from '@signalbox/kit'
import { deadLetterBounds, openRedisStore, progressBounds } from '@signalbox/store'
import { createDispatcher } from './app.ts'
import { config } from './config.ts'

const settings = orExit(() => parseConfig(config, process.env))

await runService({ name: 'dispatcher', config: settings }, async (scope) => {
  const { log, readiness, metrics } = scope
  const namespace = settings.SIGNALBOX_NAMESPACE
  const topology = createTopology({ namespace, vumiBridge: settings.SIGNALBOX_VUMI_BRIDGE })
  const bounds = { ...deadLetterBounds(settings), ...progressBounds(settings) }
  const store = scope.use(openRedisStore({ url: settings.REDIS_URL, namespace, log, bounds }))
  const broker = scope.use(
    await openAmqpBroker({ url: settings.AMQP_URL, topology, log, connectionName: 'dispatcher' }),
  )
  const app = createHttpApp({}, { log, readiness, metrics })
  scope.defer(() => app.close())
  await app.listen({ host: settings.HOST, port: settings.PORT })
  scope.use(
    await createDispatcher(
      { prefetch: settings.DISPATCHER_PREFETCH },
      { broker, store, log, readiness, metrics },
    ),
  )
})

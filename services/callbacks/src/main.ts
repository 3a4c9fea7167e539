/** The callbacks process. */
import { createTopology, openAmqpBroker } from '@signalbox/broker'
import { createHttpApp, orExit, parseConfig, runService } from '@signalbox/kit'
import { addressPolicyOptions, createAddressPolicy, createSealer } from '@signalbox/outbound'
import { deliveryBounds, openRedisStore } from '@signalbox/store'
import { createCallbacks } from './app.ts'
import { admissionOptions, config } from './config.ts'

/** The rest of the time to drain is for results, records and connections. */
const CALLBACKS_SHARE_OF_DRAIN = 0.8

const settings = orExit(() => parseConfig(config, process.env))

await runService({ name: 'callbacks', config: settings }, async (scope) => {
  const { log, readiness, metrics } = scope
  const { AMQP_URL: url, REDIS_URL, SIGNALBOX_NAMESPACE: namespace } = settings
  const bounds = deliveryBounds(settings)
  const store = scope.use(openRedisStore({ url: REDIS_URL, namespace, log, bounds }))
  const topology = createTopology({ namespace, vumiBridge: settings.SIGNALBOX_VUMI_BRIDGE })
  const broker = scope.use(
    await openAmqpBroker({ url, topology, log, connectionName: 'callbacks' }),
  )
  readiness.add('rabbitmq', () => broker.unavailableReason())
  readiness.add('redis', () => store.unavailableReason())
  const app = createHttpApp({}, { log, readiness, metrics })
  scope.defer(() => app.close())
  await app.listen({ host: settings.HOST, port: settings.PORT })
  const sealer = createSealer({ keys: settings.SIGNALBOX_SEALING_KEY })
  const policy = createAddressPolicy(addressPolicyOptions(settings))
  scope.use(
    await createCallbacks(
      {
        concurrency: settings.CALLBACKS_CONCURRENCY,
        admission: admissionOptions(settings),
        homeAmqpUrl: url,
        drainTimeoutMs: settings.DRAIN_TIMEOUT_MS * CALLBACKS_SHARE_OF_DRAIN,
      },
      { broker, store, sealer, policy, log, readiness, metrics },
    ),
  )
})

import { createTopology, openAmqpBroker } from '@signalbox/broker'
import { orExit, parseConfig, runService } from '@signalbox/kit'
import { addressPolicyOptions } from '@signalbox/outbound'
import { deadLetterBounds, deliveryBounds, openRedisStore, recordBounds } from '@signalbox/store'
import { createApi } from './app.ts'
import { config as schema } from './config.ts'

const config = orExit(() => parseConfig(schema, process.env))

await runService({ name: 'api', config }, async (scope) => {
  const { log } = scope
  const namespace = config.SIGNALBOX_NAMESPACE
  const topology = createTopology({ namespace, vumiBridge: config.SIGNALBOX_VUMI_BRIDGE })
  const broker = scope.use(
    await openAmqpBroker({
      url: config.AMQP_URL,
      topology,
      log,
      connectionName: 'signalbox-api',
    }),
  )
  const bounds = {
    ...deadLetterBounds(config),
    ...deliveryBounds(config),
    ...recordBounds(config),
  }
  const store = scope.use(openRedisStore({ url: config.REDIS_URL, namespace, log, bounds }))
  const { app } = scope.use(
    createApi(
      {
        adminKey: config.SIGNALBOX_ADMIN_KEY,
        tokenSecret: config.SIGNALBOX_TOKEN_SECRET,
        patienceMs: config.PUBLISH_TIMEOUT_MS,
        sealingKeys: config.SIGNALBOX_SEALING_KEY,
        callbackAddresses: addressPolicyOptions(config),
        namespace,
      },
      { ...scope, broker, store },
    ),
  )
  await app.listen({ port: config.PORT, host: config.HOST })
})

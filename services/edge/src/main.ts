import { createTopology, openAmqpBroker } from '@signalbox/broker'
import { orExit, parseConfig, runService } from '@signalbox/kit'
import { channelBounds, openRedisStore } from '@signalbox/store'
import { createEdge } from './app.ts'
import { edgeOptionsOf, config as schema } from './config.ts'

const config = orExit(() => parseConfig(schema, process.env))

await runService({ name: 'edge', config }, async (scope) => {
  const { log } = scope
  const namespace = config.SIGNALBOX_NAMESPACE
  const topology = createTopology({ namespace, vumiBridge: config.SIGNALBOX_VUMI_BRIDGE })
  const broker = scope.use(
    await openAmqpBroker({ url: config.AMQP_URL, topology, log, connectionName: 'signalbox-edge' }),
  )
  const bounds = channelBounds(config)
  const store = scope.use(openRedisStore({ url: config.REDIS_URL, namespace, log, bounds }))
  const { app } = scope.use(
    await createEdge(edgeOptionsOf(config, { log }), { ...scope, broker, store }),
  )
  await app.listen({ port: config.PORT, host: config.HOST })
})

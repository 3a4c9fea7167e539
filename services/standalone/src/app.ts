/** Every service in one process, on either engine, listening on the ports that the services have when they are apart. */
import type { AddressInfo } from 'node:net'
import { newSecret, type ServiceScope } from '@signalbox/kit'
import { addressPolicyOptions, createAddressPolicy, createSealer } from '@signalbox/outbound'
import { createApi } from '@signalbox/service-api'
import { admissionOptions, createCallbacks } from '@signalbox/service-callbacks'
import { createDispatcher } from '@signalbox/service-dispatcher'
import { createEdge } from '@signalbox/service-edge'
import { builtInHandlers } from '@signalbox/service-handlers'
import { createSurvey } from '@signalbox/service-survey'
import { createWorker } from '@signalbox/worker'
import type { FastifyInstance } from 'fastify'
import { DEVELOPMENT_ADMIN_KEY, DEVELOPMENT_SEALING_KEY, type StandaloneConfig } from './config.ts'
import { seedDemo } from './demo.ts'
import { openEngines } from './engines.ts'
import { loadHandlers } from './user-handlers.ts'

export interface Standalone {
  engine: string
  isDurable: boolean
  isDemoSeeded: boolean
  usesDevelopmentKey: boolean
  usesDevelopmentSealingKey: boolean
  apiUrl: string
  edgeUrl: string
  surveyUrl: string
}

/** Resolves when everything listens and consumes; torn down with the scope. */
export async function startStandalone(
  settings: StandaloneConfig,
  scope: ServiceScope,
): Promise<Standalone> {
  const { log, readiness, metrics } = scope
  const ownHandlers =
    settings.SIGNALBOX_HANDLERS === undefined ? [] : await loadHandlers(settings.SIGNALBOX_HANDLERS)
  const { broker, store, name: engine, isDurable } = await openEngines(settings, log)
  scope.use(store)
  scope.use(broker)
  const deps = { broker, store, log, readiness, metrics }
  const adminKey = settings.SIGNALBOX_ADMIN_KEY ?? DEVELOPMENT_ADMIN_KEY
  const tokenSecret = settings.SIGNALBOX_TOKEN_SECRET ?? newSecret()

  const listen = async (service: AsyncDisposable & { app: FastifyInstance }, port: number) => {
    scope.use(service)
    await service.app.listen({ host: settings.HOST, port })
    const { address, family, port: bound } = service.app.server.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}`
  }
  const edgeUrl = await listen(
    await createEdge({ tokenSecret, relayPartitions: settings.SIGNALBOX_RELAY_PARTITIONS }, deps),
    settings.EDGE_PORT,
  )
  const surveyUrl = await listen(
    createSurvey(
      {
        adminKey,
        tokenSecret,
        publicEdgeUrl: edgeUrl.replace(/^http/, 'ws'),
        isDemoSmsGatewayEnabled: settings.SMS_GATEWAY_URL === undefined,
      },
      deps,
    ),
    settings.SURVEY_PORT,
  )
  const handlers = builtInHandlers({
    contacts: store.contacts,
    smsGateway: { url: settings.SMS_GATEWAY_URL ?? `${surveyUrl}/demo-sms-gateway/messages` },
    log,
  })
  scope.use(
    await createWorker(
      { handlers: [...handlers, ...ownHandlers] },
      { ...deps, catalog: store.catalog, progress: store.progress },
    ),
  )
  scope.use(
    await createCallbacks(
      {
        concurrency: settings.CALLBACKS_CONCURRENCY,
        admission: admissionOptions(settings),
        homeAmqpUrl: settings.AMQP_URL,
      },
      {
        ...deps,
        sealer: createSealer({ keys: settings.SIGNALBOX_SEALING_KEY ?? DEVELOPMENT_SEALING_KEY }),
        policy: createAddressPolicy(addressPolicyOptions(settings)),
      },
    ),
  )
  scope.use(await createDispatcher({}, deps))

  const isDemoSeeded = settings.SIGNALBOX_SEED_DEMO ?? !isDurable
  if (isDemoSeeded) await seedDemo(store)
  const apiUrl = await listen(
    createApi(
      {
        adminKey,
        tokenSecret,
        sealingKeys: settings.SIGNALBOX_SEALING_KEY ?? DEVELOPMENT_SEALING_KEY,
        callbackAddresses: addressPolicyOptions(settings),
        namespace: settings.SIGNALBOX_NAMESPACE,
      },
      deps,
    ),
    settings.API_PORT,
  )

  const usesDevelopmentKey = settings.SIGNALBOX_ADMIN_KEY === undefined
  const usesDevelopmentSealingKey = settings.SIGNALBOX_SEALING_KEY === undefined
  return {
    engine,
    isDurable,
    isDemoSeeded,
    usesDevelopmentKey,
    usesDevelopmentSealingKey,
    apiUrl,
    edgeUrl,
    surveyUrl,
  }
}

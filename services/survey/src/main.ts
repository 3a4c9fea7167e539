/** The survey process: reads the configuration, opens the engines, serves until a signal. */
import { createTopology, openAmqpBroker } from '@signalbox/broker'
import { orExit, parseConfig, runService } from '@signalbox/kit'
import { openRedisStore, recordBounds } from '@signalbox/store'
import { createSurvey } from './app.ts'
import { config as schema } from './config.ts'

const DAY_MS = 86_400_000

const config = orExit(() => parseConfig(schema, process.env))

await runService({ name: 'survey', config }, async (scope) => {
  const { log } = scope
  const namespace = config.SIGNALBOX_NAMESPACE
  const topology = createTopology({ namespace, vumiBridge: config.SIGNALBOX_VUMI_BRIDGE })
  const store = scope.use(
    openRedisStore({ url: config.REDIS_URL, namespace, log, bounds: recordBounds(config) }),
  )
  const broker = scope.use(
    await openAmqpBroker({ url: config.AMQP_URL, topology, log, connectionName: 'survey' }),
  )
  const survey = scope.use(
    createSurvey(
      {
        adminKey: config.SIGNALBOX_ADMIN_KEY,
        tokenSecret: config.SIGNALBOX_TOKEN_SECRET,
        publicEdgeUrl: config.SURVEY_PUBLIC_EDGE_URL,
        accountKey: config.SURVEY_ACCOUNT,
        workerName: config.SURVEY_WORKER_NAME,
        pagePollKey: config.SURVEY_PAGE_POLL,
        maxSessions: config.SURVEY_MAX_SESSIONS,
        keepMs: config.SURVEY_KEEP_SESSIONS_DAYS * DAY_MS,
        isDemoSmsGatewayEnabled: config.DEMO_SMS_GATEWAY,
      },
      { ...scope, broker, store },
    ),
  )
  await survey.app.listen({ host: config.HOST, port: config.PORT })
})

/** The handlers process: a worker with the built-in handlers. */
import { orExit, parseConfig } from '@signalbox/kit'
import { runWorker } from '@signalbox/worker'
import { builtInHandlers } from './built-in.ts'
import { config } from './config.ts'

const settings = orExit(() => parseConfig(config, process.env))
const { SMS_GATEWAY_URL: url, SMS_GATEWAY_TOKEN: token, SMS_TIMEOUT_MS: timeoutMs } = settings

await runWorker({
  name: 'handlers',
  config: settings,
  handlers: ({ store, log }) =>
    builtInHandlers({
      contacts: store.contacts,
      smsGateway: url === undefined ? undefined : { url, token, timeoutMs },
      log,
    }),
})

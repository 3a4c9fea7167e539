/**
 * What the standalone process reads: everything is optional. Without brokers it runs on the memory engine; without keys,
 * and only on a loopback address, on the development key.
 */

import { isIP } from 'node:net'
import {
  brokerConfigShape,
  ConfigError,
  channelConfigShape,
  deadLetterConfigShape,
  deliveryConfigShape,
  parseConfig,
  portSchema,
  processConfigShape,
  progressConfigShape,
  recordConfigShape,
  relayConfigShape,
  storeConfigShape,
} from '@signalbox/kit'
import { addressPolicyConfigShape, sealingConfigShape } from '@signalbox/outbound'
import { callbacksConfigShape } from '@signalbox/service-callbacks'
import { z } from 'zod'

/** Works on loopback only, and says so at the start. */
export const DEVELOPMENT_ADMIN_KEY = 'signalbox-dev'

/** Of 32 bytes; for loopback only, as the key above. */
export const DEVELOPMENT_SEALING_KEY = '5167'.repeat(16)

export const config = z.object({
  ...processConfigShape,
  ...brokerConfigShape,
  ...addressPolicyConfigShape,
  ...callbacksConfigShape,
  ...deadLetterConfigShape,
  ...deliveryConfigShape,
  ...progressConfigShape,
  ...recordConfigShape,
  ...relayConfigShape,
  ...channelConfigShape,
  HOST: z
    .string()
    .default('127.0.0.1')
    .meta({ description: 'Address to listen on. Other than loopback needs keys.' }),
  LOG_LEVEL: processConfigShape.LOG_LEVEL.unwrap()
    .default('warn')
    .meta({ description: 'Lowest level that is logged.' }),
  AMQP_URL: brokerConfigShape.AMQP_URL.optional().meta({
    description: 'RabbitMQ; absent, with `REDIS_URL`: the memory engine.',
  }),
  REDIS_URL: storeConfigShape.REDIS_URL.optional().meta({
    description: 'Redis; absent, with `AMQP_URL`: the memory engine.',
  }),
  API_PORT: portSchema(8080).meta({ description: 'Port of the HTTP API.' }),
  EDGE_PORT: portSchema(8081).meta({ description: 'Port of the WebSocket edge.' }),
  SURVEY_PORT: portSchema(8085).meta({ description: 'Port of the survey and its page.' }),
  SIGNALBOX_ADMIN_KEY: z
    .string()
    .min(32)
    .optional()
    .meta({ description: 'Admin key; absent: `signalbox-dev`, on loopback only.' }),
  SIGNALBOX_TOKEN_SECRET: z
    .string()
    .min(32)
    .optional()
    .meta({ description: 'Signs WebSocket tokens; absent: a random one at each start.' }),
  SIGNALBOX_SEALING_KEY: sealingConfigShape.SIGNALBOX_SEALING_KEY.optional().meta({
    description:
      'Key that secrets of listeners are stored under, as 32 bytes in hex or base64; absent: one for development that anybody can read, on loopback only.',
  }),
  SIGNALBOX_HANDLERS: z.string().optional().meta({
    description:
      'A module whose default export is a handler, or an array of them, to run beside the built-in ones.',
  }),
  SIGNALBOX_SEED_DEMO: z.stringbool().optional().meta({
    description:
      'Create the demo poll and chain in the account `demo`; default: on the memory engine only.',
  }),
  SMS_GATEWAY_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({
      description:
        "Where `send_sms` posts; default: the survey's demo gateway, which sends nothing.",
    }),
})

export type StandaloneConfig = z.infer<typeof config>

/** Parses, and refuses what is wrong only together. Throws `ConfigError`. */
export function readStandaloneConfig(
  env: Readonly<Record<string, string | undefined>>,
): StandaloneConfig {
  const settings = parseConfig(config, env)
  if ((settings.AMQP_URL === undefined) !== (settings.REDIS_URL === undefined)) {
    throw new ConfigError(
      'The configuration is not valid:\n  AMQP_URL and REDIS_URL: give both, or neither for the memory engine',
    )
  }
  if (settings.SIGNALBOX_ADMIN_KEY === undefined && !isLoopback(settings.HOST)) {
    throw new ConfigError(
      `The configuration is not valid:\n  SIGNALBOX_ADMIN_KEY: is required to listen on ${settings.HOST}, which is not a loopback address`,
    )
  }
  if (settings.SIGNALBOX_SEALING_KEY === undefined && !isLoopback(settings.HOST)) {
    throw new ConfigError(
      `The configuration is not valid:\n  SIGNALBOX_SEALING_KEY: is required to listen on ${settings.HOST}, which is not a loopback address`,
    )
  }
  return settings
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

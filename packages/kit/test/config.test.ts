import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  brokerConfigShape,
  ConfigError,
  parseConfig,
  portSchema,
  processConfigShape,
  secretSchema,
  storeConfigShape,
} from '../src/index.ts'

const config = z.object({
  PORT: portSchema(8080),
  ...processConfigShape,
  ...brokerConfigShape,
  ...storeConfigShape,
  SIGNALBOX_ADMIN_KEY: secretSchema,
})

const ENV = {
  AMQP_URL: 'amqp://user:password@rabbit:5672/vhost',
  REDIS_URL: 'redis://:password@redis:6379/0',
  SIGNALBOX_ADMIN_KEY: 'k'.repeat(32),
}

function refusalOf(env: Record<string, string | undefined>): ConfigError {
  try {
    parseConfig(config, env)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('the configuration was not refused')
}

test('what is absent or empty gets its default', () => {
  const parsed = parseConfig(config, { ...ENV, PORT: '', LOG_LEVEL: undefined, UNRELATED: 'x' })
  expect(parsed).toEqual({
    ...ENV,
    PORT: 8080,
    HOST: '0.0.0.0',
    LOG_LEVEL: 'info',
    DRAIN_TIMEOUT_MS: 25_000,
    SIGNALBOX_NAMESPACE: 'signalbox',
    SIGNALBOX_VUMI_BRIDGE: false,
  })
})

test.each([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
])('a switch reads %s as %s', (text, expected) => {
  const parsed = parseConfig(config, { ...ENV, SIGNALBOX_VUMI_BRIDGE: text })
  expect(parsed.SIGNALBOX_VUMI_BRIDGE).toBe(expected)
})

describe('a bad value stops the start and is named', () => {
  test.each([
    ['PORT', '65536'],
    ['PORT', 'http'],
    ['PORT', '80.5'],
    ['LOG_LEVEL', 'loud'],
    ['DRAIN_TIMEOUT_MS', '-1'],
    ['AMQP_URL', 'http://rabbit:5672'],
    ['AMQP_URL', 'rabbit'],
    ['REDIS_URL', 'amqp://redis'],
    ['SIGNALBOX_NAMESPACE', 'a.b'],
    ['SIGNALBOX_VUMI_BRIDGE', 'perhaps'],
    ['SIGNALBOX_ADMIN_KEY', 'too-short'],
  ])('%s=%s', (name, value) => {
    const error = refusalOf({ ...ENV, [name]: value })
    expect(error.details.map((detail) => detail.path)).toEqual([name])
    expect(error.message).toContain(`\n  ${name}: `)
  })

  test('all of them at once, and those that are missing as missing', () => {
    const error = refusalOf({ PORT: '-1', REDIS_URL: '' })
    expect(error.message.split('\n')).toEqual([
      'The configuration is not valid:',
      expect.stringMatching(/^ {2}PORT: .+/),
      '  AMQP_URL: is required',
      '  REDIS_URL: is required',
      '  SIGNALBOX_ADMIN_KEY: is required',
    ])
  })

  test('without its value, which may be a secret', () => {
    const secret = 'hunter2'
    const error = refusalOf({
      ...ENV,
      AMQP_URL: `http://user:${secret}@rabbit`,
      SIGNALBOX_ADMIN_KEY: secret,
      LOG_LEVEL: secret,
      PORT: secret,
    })
    expect(JSON.stringify([error.message, error.details, error.stack])).not.toContain(secret)
  })
})

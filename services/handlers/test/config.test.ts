import { ConfigError, parseConfig } from '@signalbox/kit'
import { expect, test } from 'vitest'
import { config } from '../src/index.ts'

const env = { AMQP_URL: 'amqp://localhost', REDIS_URL: 'redis://localhost' }

test('has defaults for everything but the brokers', () => {
  expect(parseConfig(config, env)).toMatchObject({ PORT: 8083, SMS_TIMEOUT_MS: 10_000 })
  expect(parseConfig(config, env).SMS_GATEWAY_URL).toBeUndefined()
})

test.each([
  ['ftp://gateway', 'SMS_GATEWAY_URL: must be an http:// or https:// URL'],
  ['nonsense', 'SMS_GATEWAY_URL: must be an http:// or https:// URL'],
  [
    'https://user:hunter2@gateway',
    'SMS_GATEWAY_URL: must not carry a user or password; use SMS_GATEWAY_TOKEN',
  ],
])('the gateway URL %s stops the start, and is not repeated', (url, message) => {
  const parse = () => parseConfig(config, { ...env, SMS_GATEWAY_URL: url })
  expect(parse).toThrow(ConfigError)
  expect(parse).toThrow(`The configuration is not valid:\n  ${message}`)
  expect(parse).not.toThrow(/hunter2/)
})

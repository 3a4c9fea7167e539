import { expect, test } from 'vitest'
import { givenRabbitMq, givenRedis, provisionBrokers } from '../src/provisioning.ts'

const GIVEN = {
  TEST_AMQP_URL: 'amqp://rabbit.invalid',
  TEST_RABBITMQ_MANAGEMENT_URL: 'http://rabbit.invalid:15672',
  TEST_REDIS_URL: 'redis://redis.invalid',
}

test('servers named in the environment are used as they are, and are not ended', async () => {
  const brokers = await provisionBrokers(GIVEN)
  expect(brokers).toMatchObject({
    amqpUrl: GIVEN.TEST_AMQP_URL,
    managementUrl: GIVEN.TEST_RABBITMQ_MANAGEMENT_URL,
    redisUrl: GIVEN.TEST_REDIS_URL,
  })
  await expect(brokers[Symbol.asyncDispose]()).resolves.toBeUndefined()
})

test('half of a RabbitMQ is refused with the names of both variables', async () => {
  const { TEST_AMQP_URL, TEST_RABBITMQ_MANAGEMENT_URL, TEST_REDIS_URL } = GIVEN
  const message = 'TEST_AMQP_URL and TEST_RABBITMQ_MANAGEMENT_URL go together'
  expect(() => givenRabbitMq({ TEST_AMQP_URL })).toThrow(message)
  expect(() => givenRabbitMq({ TEST_RABBITMQ_MANAGEMENT_URL })).toThrow(message)
  await expect(provisionBrokers({ TEST_AMQP_URL, TEST_REDIS_URL })).rejects.toThrow(message)
})

test('an empty variable names nothing', () => {
  expect(givenRabbitMq({ TEST_AMQP_URL: '', TEST_RABBITMQ_MANAGEMENT_URL: '' })).toBeUndefined()
  expect(givenRedis({ TEST_REDIS_URL: '' })).toBeUndefined()
})

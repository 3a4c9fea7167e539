import { leaseRabbitMq } from '@signalbox/testkit'
import { afterAll, beforeAll } from 'vitest'
import { openAmqpBroker } from '../../src/amqp/broker.ts'
import { describeBroker } from '../broker-contract.ts'

let lease: Awaited<ReturnType<typeof leaseRabbitMq>>
beforeAll(async () => {
  lease = await leaseRabbitMq()
})
afterAll(() => lease.release())

describeBroker('rabbitmq', {
  open: (topology, log) =>
    openAmqpBroker({ url: lease.amqpUrl, topology, log, connectionName: 'contract' }),
})

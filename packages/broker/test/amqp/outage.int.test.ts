import { freePort, leaseRabbitMq, startPrivateRabbitMq, waitFor } from '@signalbox/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { messageTo, queueOf, recorder, recordingLog } from '../fixtures.ts'
import { opened, topology } from './fixtures.ts'

const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => unhandled.push(reason))
afterEach(() => expect(unhandled).toEqual([]))

describe('a broker that dies and comes back', () => {
  it('has its consumers and confirmed messages back within five seconds', async () => {
    await using rabbitmq = await startPrivateRabbitMq()
    const log = recordingLog()
    await using broker = await opened(rabbitmq.amqpUrl, { log, publishTimeoutMs: 60_000 })
    const spec = queueOf(topology, 'work')
    await broker.declare(spec)
    const got = recorder()
    await using consumer = await broker.consume(spec.name, {}, got.onDelivery)
    await consumer.pause()
    const send = (content: number) =>
      broker.publish(messageTo({ exchange: '', routingKey: spec.name }, content))
    // One after the other: RabbitMQ loses a queue that is younger than about a second when it is killed.
    const confirmed = Array.from({ length: 1_000 }, (_, number) => number)
    for (const number of confirmed) await send(number)
    await consumer.resume()
    await waitFor(() => got.deliveries.length > 0, { what: 'the first delivery' })

    await rabbitmq.kill()
    await waitFor(() => broker.unavailableReason()?.includes('is not connected'), {
      what: 'the reason',
    })
    await waitFor(() => consumer.state === 'recovering', { what: 'the loss for the consumer' })
    const meanwhile = send(confirmed.length)
    await rabbitmq.start()
    await waitFor(() => consumer.state === 'consuming', { what: 'the consumer', timeoutMs: 5_000 })
    await expect(meanwhile).resolves.toBe('routed')
    await waitFor(() => new Set(got.contents()).size === confirmed.length + 1, {
      what: 'every message',
    })
    expect(broker.unavailableReason()).toBeUndefined()
    expect(log.of('connection.lost')).toHaveLength(2)
    const restored = log.of('connection.restored')
    expect(restored).toHaveLength(2)
    for (const connection of ['test', 'test (consuming)']) {
      expect(restored).toContainEqual(
        expect.objectContaining({ connection, attempts: expect.any(Number) as number }),
      )
    }
    expect(log.of('connection.failed').length).toBeLessThan(10)
  }, 120_000)
})

describe('a broker that is not to be had', () => {
  it('says that nobody listens, and refuses a publish in time', async () => {
    const port = await freePort()
    const url = `amqp://user:hunter2@127.0.0.1:${port}`
    await using broker = await opened(url, { publishTimeoutMs: 300 })
    await waitFor(() => broker.unavailableReason()?.includes('ECONNREFUSED'), { what: 'a reason' })
    const message = messageTo({ exchange: topology.exchange.events, routingKey: 'a.b.c' })
    await expect(broker.publish(message)).rejects.toMatchObject({
      code: 'SB_BROKER_UNAVAILABLE',
      message: expect.stringMatching(/within 300 ms: .*ECONNREFUSED/) as string,
    })
    expect(broker.unavailableReason()).not.toContain('hunter2')
  })

  it('says that the password is wrong, once in the log, and shows it nowhere', async () => {
    await using lease = await leaseRabbitMq()
    const url = new URL(lease.amqpUrl)
    url.password = 'hunter2'
    const log = recordingLog()
    await using broker = await opened(url.href, { log })
    await waitFor(() => broker.unavailableReason()?.includes('ACCESS_REFUSED'), {
      what: 'a reason',
    })
    expect(broker.unavailableReason()).not.toContain('hunter2')
    expect(log.of('connection.failed')).toHaveLength(1)
    expect(JSON.stringify(log.of('connection.failed'))).not.toContain('hunter2')
  })

  it('ends what waits for it when it is closed', async () => {
    const broker = await opened(`amqp://127.0.0.1:${await freePort()}`)
    const spec = queueOf(topology, 'never')
    const got = recorder()
    const waiting = [
      broker.declare(spec),
      broker.consume(spec.name, {}, got.onDelivery),
      broker.publish(messageTo({ exchange: '', routingKey: spec.name })),
    ]
    const outcomes = Promise.allSettled(waiting)
    await broker.close()
    expect((await outcomes).map(({ status }) => status)).toEqual([
      'rejected',
      'rejected',
      'rejected',
    ])
  })

  it('is refused at once when its URL is none of AMQP', async () => {
    await expect(opened('http://user:hunter2@broker')).rejects.toMatchObject({
      code: 'SB_CONFIG',
      message: expect.not.stringContaining('hunter2') as string,
    })
  })
})

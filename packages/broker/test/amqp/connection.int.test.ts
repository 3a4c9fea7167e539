import { leaseRabbitMq, waitFor } from '@signalbox/testkit'
import { expect, it } from 'vitest'
import { AmqpConnection } from '../../src/amqp/connection.ts'
import { recordingLog } from '../fixtures.ts'

/** The broker blocks only when it runs out of memory or disk, so here its frame is played to amqplib's connection. */
it('says that the broker blocks publishers, until it does not', async () => {
  await using lease = await leaseRabbitMq()
  const log = recordingLog()
  const connection = new AmqpConnection(
    { url: lease.amqpUrl, name: 'test' },
    { log, setUp: async () => undefined },
  )
  let unblockings = 0
  connection.listen({
    onUnblocked: () => {
      unblockings += 1
    },
  })
  await connection.open()
  const { model } = await connection.nextSession()
  model.emit('blocked', 'low on memory')
  expect(connection.isBlocked()).toBe(true)
  expect(connection.unavailableReason()).toContain('blocks publishers: low on memory')
  expect(unblockings).toBe(0)
  model.emit('unblocked')
  expect(unblockings).toBe(1)
  expect(connection.unavailableReason()).toBeUndefined()
  expect(log.of('connection.blocked')).toHaveLength(1)
  expect(log.of('connection.unblocked')).toHaveLength(1)
  await connection.close()
})

it('connects again when a connection ends in the moment of its opening', async () => {
  await using lease = await leaseRabbitMq()
  let setUps = 0
  const connection = new AmqpConnection(
    { url: lease.amqpUrl, name: 'test' },
    {
      log: recordingLog(),
      setUp: async (model) => {
        setUps += 1
        if (setUps === 1) queueMicrotask(() => model.emit('close', new Error('ended early')))
      },
    },
  )
  await connection.open()
  await waitFor(() => connection.unavailableReason() === undefined, { what: 'the connection' })
  expect(setUps).toBe(2)
  await connection.close()
})

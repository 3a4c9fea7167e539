import { createTopology, openAmqpBroker } from '@signalbox/broker'
import { createReadiness, silentLog } from '@signalbox/kit'
import { openRedisStore } from '@signalbox/store'
import { freePort, leaseRabbitMq, leaseRedis, startProcess, waitFor } from '@signalbox/testkit'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createWorker, defineHandler } from '../src/index.ts'
import { anInvocation, collectOutcomes, send } from './invocations.ts'

test('a worker that is killed in the middle of a step is counted, and the next one does the step', async () => {
  await using stack = new AsyncDisposableStack()
  const { amqpUrl } = stack.use(await leaseRabbitMq())
  const { redisUrl, namespace } = stack.use(await leaseRedis())
  const broker = stack.use(
    await openAmqpBroker({
      url: amqpUrl,
      topology: createTopology({ namespace }),
      log: silentLog,
      connectionName: 'test',
    }),
  )
  const store = stack.use(openRedisStore({ url: redisUrl, namespace, log: silentLog }))
  const outcomes = await collectOutcomes(broker)
  await broker.declare(broker.topology.handlerQueue('fragile'))
  await send(broker, anInvocation('fragile'))

  const dying = await startProcess({
    entry: new URL('./processes/dying-worker.ts', import.meta.url),
    name: 'dying-worker',
    env: {
      AMQP_URL: amqpUrl,
      REDIS_URL: redisUrl,
      SIGNALBOX_NAMESPACE: namespace,
      HOST: '127.0.0.1',
      PORT: String(await freePort()),
    },
  })
  expect(await dying.exited).toBe('SIGKILL')

  const seen: number[] = []
  const fragile = defineHandler({
    name: 'fragile',
    description: '',
    config: z.looseObject({}),
    handle: ({ redeliveries }) => void seen.push(redeliveries),
  })
  stack.use(
    await createWorker(
      { handlers: [fragile] },
      {
        broker,
        catalog: store.catalog,
        progress: store.progress,
        log: silentLog,
        readiness: createReadiness(),
      },
    ),
  )
  await waitFor(() => outcomes.results.length > 0, { what: 'the result' })
  expect(outcomes.results).toMatchObject([{ status: 'succeeded', attempt: 1, redeliveries: 1 }])
  expect(seen).toEqual([1])
})

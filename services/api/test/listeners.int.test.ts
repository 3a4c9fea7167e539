/** Listeners on Redis: what is left of changes that come at once, at two apis. */
import { createMemoryBroker, createTopology } from '@signalbox/broker'
import { chainOfListener } from '@signalbox/contracts'
import { createMetrics, createReadiness, silentLog as log } from '@signalbox/kit'
import { openRedisStore } from '@signalbox/store'
import { leaseRedis } from '@signalbox/testkit'
import { afterAll, expect, test } from 'vitest'
import { createApi } from '../src/app.ts'
import { SEALING_KEYS } from './fixture.ts'

const stack = new AsyncDisposableStack()
afterAll(() => stack.disposeAsync())
const lease = stack.use(await leaseRedis())
const store = stack.use(openRedisStore({ url: lease.redisUrl, namespace: lease.namespace, log }))
const broker = stack.use(createMemoryBroker({ topology: createTopology(), log }))
const newApi = () =>
  createApi(
    { adminKey: 'admin', tokenSecret: 'x'.repeat(32), sealingKeys: SEALING_KEYS },
    {
      broker,
      store,
      log,
      readiness: createReadiness(),
      metrics: createMetrics({ withProcessMetrics: false }),
    },
  )
const apis = [stack.use(newApi()), stack.use(newApi())] as const
const url = '/v1/accounts/acme/listeners'
const call = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, payload?: object, by = 0) =>
  apis[by % 2]!.app.inject({
    method,
    url: `${url}${path}`,
    headers: { authorization: 'Bearer admin' },
    ...(payload === undefined ? {} : { payload }),
  })
const callback = { type: 'http', url: 'https://8.8.8.8/hook' }

test('changes of two apis at once leave one listener and the chain that it is', async () => {
  await call('POST', '', { listener_id: 'busy', callback })
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      index % 4 === 0
        ? call('POST', index % 8 === 0 ? '/busy/pause' : '/busy/resume', {}, index)
        : call('PUT', '/busy', { name: `n${index}`, callback }, index),
    ),
  )
  const statuses = new Set(answers.map(({ statusCode }) => statusCode))
  expect([...statuses].filter((status) => status !== 200 && status !== 409)).toEqual([])
  expect(statuses).toContain(200)
  const kept = await store.listeners.get('acme', 'busy')
  expect(await store.chains.get('acme', 'listener-busy')).toMatchObject(
    chainOfListener(kept!.listener),
  )
})

test('a deletion among reads leaves neither the listener nor its chain', async () => {
  for (let round = 0; round < 5; round += 1) {
    const listener_id = `gone-${round}`
    await call('POST', '', { listener_id, callback })
    const reads = Array.from({ length: 10 }, (_, by) =>
      call('GET', `/${listener_id}`, undefined, by),
    )
    const [deleted] = await Promise.all([call('DELETE', `/${listener_id}`), ...reads])
    expect(deleted.statusCode).toBe(204)
    expect(await store.listeners.get('acme', listener_id)).toBeUndefined()
    expect(await store.chains.get('acme', `listener-${listener_id}`)).toBeUndefined()
  }
})

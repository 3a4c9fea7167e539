import { createMetrics, silentLog, UnavailableError } from '@signalbox/kit'
import { createMemoryStore } from '@signalbox/store'
import { expect, it } from 'vitest'
import { createAdmissions } from '../src/admission.ts'
import { createDisabling } from '../src/listener-disabling.ts'
import { createCallbackMetrics } from '../src/metrics.ts'
import { aDelivery, putListener, setListenerState } from './fixtures.ts'

const NOW_MS = Date.parse('2026-01-10T00:00:00.000Z')

async function world(isBrokerAway = () => false) {
  const store = createMemoryStore()
  await putListener(store, 'a', 'l')
  const published: { event_id?: string | undefined }[] = []
  const disabling = createDisabling(
    {},
    {
      ...store,
      async publishEvent(event) {
        if (isBrokerAway()) throw new UnavailableError('RabbitMQ is away')
        published.push(event)
      },
      forget: () => undefined,
      metrics: createCallbackMetrics(
        createMetrics({ withProcessMetrics: false }),
        createAdmissions(),
      ),
      log: silentLog,
      now: () => NOW_MS,
    },
  )
  const listener = async () => (await store.listeners.get('a', 'l'))!.listener
  const fail = (at: string) =>
    store.deliveries.record('a', [aDelivery(at, { at, outcome: 'refused' })])
  const look = () => disabling.look([{ accountKey: 'a', listenerId: 'l' }])
  return { store, published, disabling, listener, fail, look }
}

it.each([
  ['2026-01-05T00:00:00.001Z', 'active', 0],
  ['2026-01-05T00:00:00.000Z', 'disabled', 1],
])('a listener that has been failing since %s is %s', async (since, state, events) => {
  const { published, listener, fail, look, store } = await world()
  await fail(since)
  await fail('2026-01-09T23:59:59.000Z')
  await look()
  expect((await listener()).state).toBe(state)
  expect((await store.chains.get('a', 'listener-l'))?.enabled).toBe(state === 'active')
  expect(published).toHaveLength(events)
})

it('it is done again under the same identity when the broker was away', async () => {
  let isAway = true
  const { published, disabling, listener } = await world(() => isAway)
  const first = await listener()
  await disabling.gone('a', first)
  expect((await listener()).state).toBe('active')
  isAway = false
  await disabling.gone('a', first)
  await disabling.gone('a', first)
  expect(await listener()).toMatchObject({ state: 'disabled', version: 2 })
  expect(new Set(published.map(({ event_id }) => event_id)).size).toBe(1)
})

it('a listener that was changed in the meantime is left alone', async () => {
  const { store, disabling, listener } = await world()
  const first = await listener()
  await setListenerState(store, 'a', 'l', 'active')
  await disabling.gone('a', first)
  expect((await listener()).state).toBe('active')
})

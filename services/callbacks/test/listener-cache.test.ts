import { AppError } from '@signalbox/kit'
import { createMemoryStore } from '@signalbox/store'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createListenerCache } from '../src/listener-cache.ts'
import { putListener, sealer, setListenerState } from './fixtures.ts'

beforeEach(() => {
  vi.useFakeTimers()
  // n.b. at zero the cache takes a time for none.
  vi.advanceTimersByTime(1)
})
afterEach(() => {
  vi.useRealTimers()
})

function world() {
  const store = createMemoryStore()
  const get = vi.spyOn(store.listeners, 'get')
  return { store, get }
}

it('looks a listener up once, until it is told of a change', async () => {
  const { store, get } = world()
  await using cache = await createListenerCache({ listeners: store.listeners, sealer })
  await putListener(store, 'a', 'l')
  get.mockClear()
  await Promise.all([cache.find('a', 'l'), cache.find('a', 'l')])
  expect(get).toHaveBeenCalledTimes(1)
  await setListenerState(store, 'a', 'l', 'paused')
  expect((await cache.find('a', 'l'))?.listener.state).toBe('paused')
  expect(await cache.find('b', 'l')).toBeUndefined()
})

it('looks again after a few seconds, told or not', async () => {
  const { store } = world()
  const listeners = { ...store.listeners, onChange: async () => async () => undefined }
  await using cache = await createListenerCache({ listeners, sealer })
  await putListener(store, 'a', 'l')
  await cache.find('a', 'l')
  await setListenerState(store, 'a', 'l', 'paused')
  expect((await cache.find('a', 'l'))?.listener.state).toBe('active')
  vi.advanceTimersByTime(5_001)
  expect((await cache.find('a', 'l'))?.listener.state).toBe('paused')
})

it('keeps no failure: a secret that does not open, or a store that is away', async () => {
  const { store, get } = world()
  await using cache = await createListenerCache({ listeners: store.listeners, sealer })
  await putListener(store, 'a', 'l')
  const elsewhere = sealer.seal('whsec_x', ['a', 'another'])
  await store.listeners.update('a', 'l', ({ listener, secrets }) => ({
    listener,
    secrets: { ...secrets, signing: [{ sealed: elsewhere, scheme: 'hmac-sha256' }] },
  }))
  get.mockClear()
  for (const _ of [1, 2]) {
    const failure = await cache.find('a', 'l').catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(AppError)
    expect(failure).toMatchObject({ code: 'SB_SEALED' })
  }
  expect(get).toHaveBeenCalledTimes(2)
})

import type { HandlerDescription } from '@signalbox/contracts'
import { silentLog, UnavailableError } from '@signalbox/kit'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { registerHandlers } from '../src/registration.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const handler: HandlerDescription = { name: 'echo', description: '', config_schema: {}, fires: [] }

function recorder() {
  const calls: string[] = []
  const logged: string[] = []
  const catalog = {
    isAway: false,
    async register(
      { name }: HandlerDescription,
      { workerId }: { workerId: string; ttlMs: number },
    ) {
      calls.push(`+${name} ${workerId}`)
      if (catalog.isAway) throw new UnavailableError('away')
    },
    async unregister(name: string, workerId: string) {
      calls.push(`-${name} ${workerId}`)
      if (catalog.isAway) throw new UnavailableError('away')
    },
  }
  const log = { ...silentLog, warn: (_: object, message: string) => void logged.push(message) }
  return { calls, logged, catalog, log }
}

test('tells the catalog every third of the time that it believes it, until it is disposed of', async () => {
  const { calls, catalog, log } = recorder()
  const options = { workerId: 'w', handlers: [handler], ttlMs: 30_000 }
  const registration = await registerHandlers(options, { catalog, log })
  await vi.advanceTimersByTimeAsync(20_000)
  expect(calls).toEqual(['+echo w', '+echo w', '+echo w'])
  await registration[Symbol.asyncDispose]()
  await registration[Symbol.asyncDispose]()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(calls.slice(3)).toEqual(['-echo w'])
  expect(vi.getTimerCount()).toBe(0)
})

test('a catalog that is away is logged once and told within seconds of its return', async () => {
  const { calls, logged, catalog, log } = recorder()
  catalog.isAway = true
  const options = { workerId: 'w', handlers: [handler], ttlMs: 30_000 }
  const registration = await registerHandlers(options, { catalog, log })
  await vi.advanceTimersByTimeAsync(10_000)
  expect(logged).toEqual(['registration.failed'])
  catalog.isAway = false
  const tries = calls.length
  await vi.advanceTimersByTimeAsync(2_000)
  expect(calls.length).toBe(tries + 1)

  catalog.isAway = true
  await registration[Symbol.asyncDispose]()
  expect(logged).toEqual(['registration.failed', 'registration.not_withdrawn'])
})

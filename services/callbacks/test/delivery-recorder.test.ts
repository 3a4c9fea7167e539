import type { Delivery } from '@signalbox/contracts'
import { silentLog, UnavailableError } from '@signalbox/kit'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import {
  type AccountDelivery,
  createDeliveryRecorder,
  type ListenerName,
} from '../src/delivery-recorder.ts'
import { aDelivery } from './fixtures.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const aRecord = (index: number, overrides: Partial<Delivery> = {}): AccountDelivery => ({
  accountKey: 'a',
  delivery: aDelivery(`d-${index}`, overrides),
})

function world(isAway = () => false) {
  const batches: (readonly Delivery[])[] = []
  const failing: ListenerName[] = []
  let dropped = 0
  const recorder = createDeliveryRecorder({
    deliveries: {
      async record(_accountKey, records) {
        if (isAway()) throw new UnavailableError('Redis is away')
        batches.push(records)
      },
    },
    onFailures: (listeners) => failing.push(...listeners),
    onDropped: (count) => {
      dropped += count
    },
    log: silentLog,
  })
  const written = () => batches.flat().map(({ delivery_id }) => delivery_id)
  return { recorder, batches, failing, written, dropped: () => dropped }
}

const ids = (count: number) => Array.from({ length: count }, (_, index) => `d-${index}`)

it('writes what gathers in full batches, in its order, and tells who is failing', async () => {
  const { recorder, batches, written, failing } = world()
  for (let index = 0; index < 600; index += 1) {
    recorder.add(aRecord(index, index === 300 ? { outcome: 'refused', listener_id: 'bad' } : {}))
  }
  await vi.advanceTimersByTimeAsync(100)
  expect(batches.map((batch) => batch.length)).toEqual([256, 256, 88])
  expect(written()).toEqual(ids(600))
  expect(failing).toEqual([{ accountKey: 'a', listenerId: 'bad' }])
  recorder.add(aRecord(600))
  await vi.advanceTimersByTimeAsync(100)
  expect(recorder.waiting).toBe(0)
})

it('keeps what the store does not take until it is back, in its order', async () => {
  let isAway = true
  const { recorder, written, dropped } = world(() => isAway)
  for (let index = 0; index < 10; index += 1) recorder.add(aRecord(index))
  await vi.advanceTimersByTimeAsync(10_000)
  expect(recorder.waiting).toBe(10)
  isAway = false
  await vi.advanceTimersByTimeAsync(10_000)
  expect(written()).toEqual(ids(10))
  expect(dropped()).toBe(0)
})

it('drops and counts what is beyond its bound', () => {
  const { recorder, dropped } = world(() => true)
  for (let index = 0; index < 20_005; index += 1) recorder.add(aRecord(index))
  expect(recorder.waiting).toBe(20_000)
  expect(dropped()).toBe(5)
})

it('writes what it has when it closes, and counts what the store does not take even then', async () => {
  const open = world()
  open.recorder.add(aRecord(0))
  await open.recorder[Symbol.asyncDispose]()
  expect(open.written()).toEqual(['d-0'])

  const away = world(() => true)
  away.recorder.add(aRecord(0))
  await away.recorder[Symbol.asyncDispose]()
  expect(away.dropped()).toBe(1)
})

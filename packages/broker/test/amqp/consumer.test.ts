import { EventEmitter } from 'node:events'
import { silentLog } from '@signalbox/kit'
import type { ChannelModel } from 'amqplib'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { AmqpSession, ConnectionListener } from '../../src/amqp/connection.ts'
import { AmqpConsumer } from '../../src/amqp/consumer.ts'
import { ANSWER_TIMEOUT_MS } from '../../src/amqp/kept-channel.ts'
import { createTopology } from '../../src/topology.ts'
import { ack, queueOf } from '../fixtures.ts'

/** After this a close that is not answered is waited for no longer. */
const CLOSE_TIMEOUT_MS = 3_000

/** Answers at once what it answers at all. */
class FakeChannel extends EventEmitter {
  readonly unanswered: Set<string>

  constructor(unanswered: readonly string[]) {
    super()
    this.unanswered = new Set(unanswered)
  }

  assertQueue = () => this.#answer('declare', {})
  prefetch = () => this.#answer('prefetch', {})
  consume = () => this.#answer('consume', { consumerTag: 'tag' })
  cancel = () => this.#answer('cancel', {})
  close = () => this.#answer('close', undefined)

  #answer<Answer>(name: string, answer: Answer): Promise<Answer> {
    return this.unanswered.has(name) ? new Promise(() => undefined) : Promise.resolve(answer)
  }
}

let channels: FakeChannel[]
let consumer: AmqpConsumer

/** Its first channel leaves these unanswered. */
function consume(...unanswered: string[]): void {
  const createChannel = async () => {
    const channel = new FakeChannel(channels.length === 0 ? unanswered : [])
    channels.push(channel)
    return channel
  }
  const model = { createChannel } as unknown as ChannelModel
  const session: AmqpSession = { model, lost: new AbortController().signal }
  const listen = (listener: ConnectionListener) => {
    listener.onOpen?.(session)
    return () => undefined
  }
  const queue = queueOf(createTopology({ namespace: 'test' }), 'work')
  consumer = new AmqpConsumer(
    { queue, prefetch: 1, onDelivery: async () => ack },
    {
      connection: { listen },
      log: silentLog,
      publisher: { deadLetter: async () => undefined },
      onClosed: () => undefined,
    },
  )
}

beforeEach(() => {
  vi.useFakeTimers()
  channels = []
})
afterEach(async () => {
  await consumer.close()
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

it.each(['declare', 'prefetch', 'consume'])(
  'consumes on another channel within 5 s when %s is not answered, not even the close',
  async (what) => {
    consume(what, 'close')
    await vi.advanceTimersByTimeAsync(ANSWER_TIMEOUT_MS - 1)
    expect(consumer.state).toBe('recovering')
    expect(channels).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(5_000 - ANSWER_TIMEOUT_MS)
    expect(channels).toHaveLength(2)
    expect(consumer.state).toBe('consuming')
    expect(consumer.unavailableReason()).toBeUndefined()
    await vi.advanceTimersByTimeAsync(CLOSE_TIMEOUT_MS)
  },
)

it('consumes on another channel when the cancel of a pause is not answered', async () => {
  consume('cancel', 'close')
  await vi.advanceTimersByTimeAsync(0)
  expect(consumer.state).toBe('consuming')
  const pausing = consumer.pause()
  await vi.advanceTimersByTimeAsync(3_000)
  await pausing
  const resuming = consumer.resume()
  await vi.advanceTimersByTimeAsync(3_000)
  await resuming
  expect(channels).toHaveLength(2)
  expect(consumer.state).toBe('consuming')
  await vi.advanceTimersByTimeAsync(CLOSE_TIMEOUT_MS)
})

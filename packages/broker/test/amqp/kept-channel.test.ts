import { EventEmitter } from 'node:events'
import type { Channel, ChannelModel } from 'amqplib'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AmqpSession, ConnectionListener } from '../../src/amqp/connection.ts'
import { ANSWER_TIMEOUT_MS, KeptChannel, NO_ANSWER } from '../../src/amqp/kept-channel.ts'
import { recordingLog } from '../fixtures.ts'

/** Only what a kept channel asks of it: events, and a close that answers. */
class FakeChannel extends EventEmitter {
  async close(): Promise<void> {
    this.emit('close')
  }
}

describe('KeptChannel', () => {
  const log = recordingLog()
  let created: FakeChannel[]
  let losses: AbortSignal[]
  let kept: KeptChannel<Channel>
  let connected: (session: AmqpSession) => void
  let failure: Error | undefined
  let isHanging: boolean
  let finishing: PromiseWithResolvers<void>[]

  const session = (): AmqpSession & { end(): void } => {
    const lost = new AbortController()
    return { model: new EventEmitter() as ChannelModel, lost: lost.signal, end: () => lost.abort() }
  }
  const failNow = (): void => {
    const channel = created.at(-1)
    channel?.emit('error', new Error('404 NOT_FOUND'))
    channel?.emit('close')
  }

  beforeEach(() => {
    vi.useFakeTimers()
    created = []
    losses = []
    failure = undefined
    isHanging = false
    finishing = []
    kept = new KeptChannel(
      {
        name: 'test',
        async create() {
          if (failure) throw failure
          const channel = new FakeChannel()
          created.push(channel)
          return channel as EventEmitter as Channel
        },
        async setUp(_channel, lost) {
          losses.push(lost)
          if (isHanging) await new Promise(() => undefined)
        },
        finish(_channel, over) {
          const finished = Promise.withResolvers<void>()
          if (over.aborted) finished.resolve()
          over.addEventListener('abort', () => finished.resolve())
          finishing.push(finished)
          return finished.promise
        },
      },
      {
        log,
        connection: {
          listen(listener: ConnectionListener) {
            connected = (session) => listener.onOpen?.(session)
            return () => undefined
          },
        },
      },
    )
  })
  afterEach(async () => {
    await kept.close()
    vi.useRealTimers()
  })

  it('opens a channel on every session', async () => {
    const first = session()
    connected(first)
    await vi.advanceTimersByTimeAsync(0)
    expect(kept.unavailableReason()).toBeUndefined()
    first.end()
    await vi.advanceTimersByTimeAsync(0)
    expect(losses[0]?.aborted).toBe(true)
    expect(kept.unavailableReason()).toContain('test: ')
    connected(session())
    await vi.advanceTimersByTimeAsync(0)
    expect(created).toHaveLength(2)
    expect(losses[1]?.aborted).toBe(false)
  })

  it('opens a channel that an error closed again, and says why meanwhile', async () => {
    connected(session())
    await vi.advanceTimersByTimeAsync(0)
    failNow()
    await vi.advanceTimersByTimeAsync(0)
    expect(losses[0]?.aborted).toBe(true)
    expect(kept.unavailableReason()).toBe('test: 404 NOT_FOUND')
    await vi.advanceTimersByTimeAsync(100)
    expect(created).toHaveLength(2)
    expect(kept.unavailableReason()).toBeUndefined()
  })

  it('tries ever more slowly when it closes at once, and logs only the first loss', async () => {
    const before = log.of('channel.lost').length
    failure = new Error('refused')
    connected(session())
    await vi.advanceTimersByTimeAsync(60_000)
    expect(kept.unavailableReason()).toBe('test: refused')
    expect(log.of('channel.lost').length - before).toBe(1)
    failure = undefined
    await vi.advanceTimersByTimeAsync(2_000)
    expect(created).toHaveLength(1)
    for (let second = 0; second < 60; second += 1) {
      failNow()
      await vi.advanceTimersByTimeAsync(1_000)
    }
    expect(created.length).toBeLessThan(62)
    expect(log.of('channel.lost').length - before).toBe(1)
  })

  it('opens another channel when one is not answered', async () => {
    isHanging = true
    connected(session())
    await vi.advanceTimersByTimeAsync(ANSWER_TIMEOUT_MS)
    expect(kept.unavailableReason()).toBe(`test: ${NO_ANSWER}`)
    isHanging = false
    await vi.advanceTimersByTimeAsync(250)
    expect(losses.map(({ aborted }) => aborted)).toEqual([true, false])
    expect(kept.unavailableReason()).toBeUndefined()
  })

  it('renews the channel when it is told to', async () => {
    connected(session())
    await vi.advanceTimersByTimeAsync(0)
    kept.renew('its consumer was cancelled')
    await vi.advanceTimersByTimeAsync(0)
    expect(kept.unavailableReason()).toBe('test: its consumer was cancelled')
    await vi.advanceTimersByTimeAsync(2_000)
    expect(created).toHaveLength(2)
  })

  it('replaces a channel without a gap, and closes it when it has finished', async () => {
    connected(session())
    await vi.advanceTimersByTimeAsync(0)
    kept.replace('it is refused')
    kept.replace('it is refused')
    expect(kept.unavailableReason()).toBeUndefined()
    expect(finishing).toEqual([])
    await vi.advanceTimersByTimeAsync(250)
    expect(created).toHaveLength(2)
    expect(finishing).toHaveLength(1)
    expect(losses.map(({ aborted }) => aborted)).toEqual([false, false])
    finishing[0]?.resolve()
    await vi.advanceTimersByTimeAsync(0)
    expect(losses.map(({ aborted }) => aborted)).toEqual([true, false])
    expect(kept.unavailableReason()).toBeUndefined()
  })

  it('replaces no more than about one channel a second, and logs only the first of a series', async () => {
    const before = log.of('channel.replaced').length
    connected(session())
    for (let tenth = 0; tenth < 600; tenth += 1) {
      kept.replace('it is refused')
      await vi.advanceTimersByTimeAsync(100)
    }
    expect(created.length).toBeGreaterThan(50)
    expect(created.length).toBeLessThan(125)
    expect(log.of('channel.replaced').length - before).toBe(1)
  })

  it('has none when the connection is lost before another is in its place', async () => {
    const first = session()
    connected(first)
    await vi.advanceTimersByTimeAsync(0)
    kept.replace('it is refused')
    first.end()
    await vi.advanceTimersByTimeAsync(2_000)
    expect(created).toHaveLength(1)
    expect(kept.unavailableReason()).toContain('test: ')
    connected(session())
    await vi.advanceTimersByTimeAsync(0)
    expect(kept.unavailableReason()).toBeUndefined()
  })

  it('waits at its close for what finishes no longer than it is asked to', async () => {
    connected(session())
    await vi.advanceTimersByTimeAsync(0)
    kept.replace('it is refused')
    await vi.advanceTimersByTimeAsync(250)
    await kept.close()
    expect(losses.map(({ aborted }) => aborted)).toEqual([true, true])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('opens nothing more and leaves no timer once it is closed', async () => {
    connected(session())
    await vi.advanceTimersByTimeAsync(0)
    await kept.close()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(created).toHaveLength(1)
    expect(losses[0]?.aborted).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })
})

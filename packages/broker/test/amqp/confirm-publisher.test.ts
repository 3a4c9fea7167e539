import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ConfirmPublisher, type PublishingChannel } from '../../src/amqp/confirm-publisher.ts'
import type { PublishOutcome } from '../../src/port.ts'
import { RefusedError, UnconfirmedError } from '../../src/publish-error.ts'
import { messageTo } from '../fixtures.ts'

type Confirm = (error: Error | null) => void

/** An AMQP channel that keeps what it was given, and confirms when told. */
class FakeChannel extends EventEmitter {
  readonly sent: { body: string; headers: unknown; confirm: Confirm }[] = []
  hasRoom = true

  publish: PublishingChannel['publish'] = (_exchange, _key, body, options, confirm) => {
    this.sent.push({
      body: body.toString(),
      headers: options?.headers,
      confirm: (error) => confirm?.(error, {}),
    })
    return this.hasRoom
  }

  bodies(): string[] {
    return this.sent.map(({ body }) => body)
  }

  confirm(index: number, error: Error | null = null): void {
    this.sent[index]?.confirm(error)
  }

  close(): void {
    for (const { confirm } of this.sent) confirm(new Error('channel closed'))
    this.emit('close')
  }
}

describe('ConfirmPublisher', () => {
  let blockedReason: string | undefined
  let wanted: string[]
  let publisher: ConfirmPublisher
  let channel: FakeChannel

  const publish = (
    content: unknown,
    routingKey = 'k',
    timeoutMs?: number,
  ): Promise<PublishOutcome> =>
    publisher.publish(messageTo({ exchange: 'e', routingKey }, content), timeoutMs)

  beforeEach(() => {
    vi.useFakeTimers()
    blockedReason = undefined
    wanted = []
    publisher = new ConfirmPublisher(
      { maxInFlight: 2, timeoutMs: 1_000 },
      {
        isBlocked: () => blockedReason !== undefined,
        unavailableReason: () => blockedReason,
        wantChannel: (reason) => void wanted.push(reason),
      },
    )
    channel = new FakeChannel()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('sends no more than the window, and the next in order with each confirm', async () => {
    publisher.use(channel)
    const all = [publish(1), publish(2), publish(3), publish(4)]
    expect(channel.bodies()).toEqual(['1', '2'])
    channel.confirm(1)
    await expect(all[1]).resolves.toBe('routed')
    expect(channel.bodies()).toEqual(['1', '2', '3'])
    channel.confirm(0)
    channel.confirm(2)
    await Promise.all([all[0], all[2]])
    channel.confirm(3)
    await expect(all[3]).resolves.toBe('routed')
    expect(channel.bodies()).toEqual(['1', '2', '3', '4'])
  })

  it('sends what waited for a channel as soon as there is one', async () => {
    const publishing = publish('early')
    expect(channel.sent).toEqual([])
    publisher.use(channel)
    channel.confirm(0)
    await expect(publishing).resolves.toBe('routed')
  })

  it('waits while the buffer of the socket is full', () => {
    publisher.use(channel)
    channel.hasRoom = false
    void publish(1)
    void publish(2)
    expect(channel.bodies()).toEqual(['1'])
    channel.emit('drain')
    expect(channel.bodies()).toEqual(['1', '2'])
  })

  it('waits while the broker blocks publishers', () => {
    publisher.use(channel)
    blockedReason = 'low on memory'
    void publish(1)
    expect(channel.bodies()).toEqual([])
    blockedReason = undefined
    publisher.pump()
    expect(channel.bodies()).toEqual(['1'])
  })

  it('says why when a message waited for too long, and never sends it', async () => {
    publisher.use(channel)
    blockedReason = 'low on memory'
    const refused = expect(publish(1)).rejects.toMatchObject({
      code: 'SB_BROKER_UNAVAILABLE',
      message: 'the broker did not confirm within 1000 ms: low on memory',
    })
    await vi.advanceTimersByTimeAsync(1_000)
    await refused
    expect(wanted).toEqual([])
    blockedReason = undefined
    void publish(2)
    expect(channel.bodies()).toEqual(['2'])
  })

  it('keeps the place of a message that timed out in flight until its confirm', async () => {
    publisher.use(channel)
    const refused = [1, 2].map((content) => expect(publish(content)).rejects.toThrow('1000 ms'))
    await vi.advanceTimersByTimeAsync(1_000)
    await Promise.all(refused)
    expect(new Set(wanted)).toEqual(new Set(['the broker does not confirm messages']))
    const third = publish(3)
    expect(channel.bodies()).toEqual(['1', '2'])
    channel.confirm(0)
    await vi.advanceTimersByTimeAsync(0)
    expect(channel.bodies()).toEqual(['1', '2', '3'])
    channel.confirm(2)
    await expect(third).resolves.toBe('routed')
  })

  it('wants no other channel for what the broker blocks', async () => {
    publisher.use(channel)
    const refused = expect(publish(1)).rejects.toThrow('low on memory')
    blockedReason = 'low on memory'
    await vi.advanceTimersByTimeAsync(1_000)
    await refused
    expect(wanted).toEqual([])
  })

  describe('what the broker refuses', () => {
    const nacked = new Error('message nacked')

    it('waits for another channel, and is sent there in its order, with what goes to the same place', async () => {
      publisher.use(channel)
      const all = [1, 2, 3, 4].map((content) => publish(content))
      channel.confirm(0, nacked)
      await vi.advanceTimersByTimeAsync(0)
      channel.confirm(1, nacked)
      await vi.advanceTimersByTimeAsync(0)
      expect(channel.bodies()).toEqual(['1', '2'])
      expect(wanted).toEqual(Array(2).fill('the broker refuses messages'))
      const next = new FakeChannel()
      publisher.use(next)
      all.push(publish(5))
      for (let index = 0; index < all.length; index += 1) {
        next.confirm(index)
        await vi.advanceTimersByTimeAsync(0)
      }
      expect(next.bodies()).toEqual(['1', '2', '3', '4', '5'])
      await expect(Promise.all(all)).resolves.toEqual(Array(5).fill('routed'))
    })

    it('holds up nothing that goes elsewhere', async () => {
      publisher.use(channel)
      const refused = publish(1)
      channel.confirm(0, nacked)
      const elsewhere = publish(2, 'other')
      channel.confirm(1)
      await expect(elsewhere).resolves.toBe('routed')
      publisher.use(channel)
      channel.confirm(2)
      await expect(refused).resolves.toBe('routed')
    })

    it('is sent again at once when that came on a channel that was replaced', async () => {
      publisher.use(channel)
      const publishing = publish(1)
      const next = new FakeChannel()
      publisher.use(next)
      channel.confirm(0, nacked)
      await vi.advanceTimersByTimeAsync(0)
      expect(wanted).toEqual([])
      expect(next.bodies()).toEqual(['1'])
      next.confirm(0)
      await expect(publishing).resolves.toBe('routed')
    })

    it('is rejected when its time is over, and not sent again', async () => {
      publisher.use(channel)
      const refused = expect(publish(1)).rejects.toMatchObject({
        retryable: true,
        message: 'the broker did not confirm within 1000 ms: it refuses messages',
      })
      channel.confirm(0, nacked)
      await vi.advanceTimersByTimeAsync(1_000)
      await refused
      const next = new FakeChannel()
      publisher.use(next)
      expect(next.sent).toEqual([])
    })

    it('is unroutable only if it came back from the channel it was sent on last', async () => {
      publisher.use(channel)
      const publishing = publish(1)
      channel.emit('return', { properties: { headers: channel.sent[0]?.headers } })
      channel.confirm(0, nacked)
      const next = new FakeChannel()
      publisher.use(next)
      next.confirm(0)
      await expect(publishing).resolves.toBe('routed')
    })

    it('is given up at the close when there is no channel any more', async () => {
      publisher.use(channel)
      const refused = expect(publish(1)).rejects.toThrow('the broker was closed')
      channel.confirm(0, nacked)
      const closing = publisher.close()
      channel.emit('close')
      await refused
      await closing
      expect(vi.getTimerCount()).toBe(0)
    })
  })

  it('rejects what is in flight when the channel closes, and sends what waited on the next', async () => {
    publisher.use(channel)
    const lost = [1, 2].map((content) =>
      expect(publish(content)).rejects.toMatchObject({ code: 'SB_BROKER_UNAVAILABLE' }),
    )
    const waiting = publish(3)
    channel.close()
    await Promise.all(lost)
    const next = new FakeChannel()
    publisher.use(next)
    expect(channel.bodies()).toEqual(['1', '2'])
    expect(next.bodies()).toEqual(['3'])
    next.confirm(0)
    await expect(waiting).resolves.toBe('routed')
  })

  it('hands on the answer to a message that was given up, when it comes', async () => {
    publisher.use(channel)
    const answers = [publish(1), publish(2)].map((each) =>
      each.catch((error: UnconfirmedError) => error.answer),
    )
    await vi.advanceTimersByTimeAsync(1_000)
    const refused = expect(answers[1]).rejects.toBeInstanceOf(RefusedError)
    channel.confirm(0)
    channel.confirm(1, new Error('message nacked'))
    await expect(answers[0]).resolves.toBe('routed')
    await refused
  })

  it('has no answer to hand on of a message that was never sent', async () => {
    const refused = publish(1).catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await refused).not.toBeInstanceOf(UnconfirmedError)
  })

  it('calls unroutable only the message that came back', async () => {
    publisher.use(channel)
    const both = Promise.all([publish(1), publish(2)])
    channel.emit('return', { properties: { headers: channel.sent[1]?.headers } })
    channel.confirm(0)
    channel.confirm(1)
    await expect(both).resolves.toEqual(['routed', 'unroutable'])
  })

  it('refuses a name that is too long for AMQP', async () => {
    publisher.use(channel)
    const message = messageTo({ exchange: 'e', routingKey: 'ä'.repeat(128) })
    await expect(publisher.publish(message)).rejects.toMatchObject({
      code: 'SB_INVALID_INPUT',
      message: 'the routing key is longer than 255 bytes',
    })
  })

  it('waits at its close for what is in flight', async () => {
    publisher.use(channel)
    const publishing = publish(1)
    let isClosed = false
    const closing = publisher.close().then(() => {
      isClosed = true
    })
    await vi.advanceTimersByTimeAsync(500)
    expect(isClosed).toBe(false)
    channel.confirm(0)
    await closing
    await expect(publishing).resolves.toBe('routed')
  })

  it('refuses at its close what waits for a channel', async () => {
    const refused = expect(publish(1)).rejects.toThrow('the broker was closed')
    await publisher.close()
    await refused
    await expect(publish(2)).rejects.toThrow('the broker was closed')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('gives up after the patience of who waits, and calls the broker silent until it answers', async () => {
    publisher.use(channel)
    const refused = expect(publish(1, 'k', 300)).rejects.toThrow('within 300 ms')
    await vi.advanceTimersByTimeAsync(300)
    await refused
    expect(publisher.unavailableReason()).toBe('publishing: nothing was confirmed for 300 ms')
    channel.confirm(0)
    expect(publisher.unavailableReason()).toBeUndefined()
  })

  it('does not call a broker silent that confirms other messages, or has another channel', async () => {
    publisher.use(channel)
    const refused = expect(publish(1, 'k', 300)).rejects.toThrow('within 300 ms')
    const other = publish(2)
    await vi.advanceTimersByTimeAsync(100)
    channel.confirm(1)
    await other
    await vi.advanceTimersByTimeAsync(200)
    await refused
    expect(publisher.unavailableReason()).toBeUndefined()
    const silenced = expect(publish(3, 'k', 300)).rejects.toThrow('within 300 ms')
    await vi.advanceTimersByTimeAsync(300)
    await silenced
    expect(publisher.unavailableReason()).toBeDefined()
    publisher.use(new FakeChannel())
    expect(publisher.unavailableReason()).toBeUndefined()
  })
})

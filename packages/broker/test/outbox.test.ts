import { LIMITS } from '@signalbox/contracts'
import { UnavailableError } from '@signalbox/kit'
import { describe, expect, it } from 'vitest'
import { createOutbox } from '../src/outbox.ts'
import type { PublishOutcome } from '../src/port.ts'

/** An outbox whose messages are confirmed by hand. */
function manualOutbox(batchSize?: number) {
  const messages: { lane: string; items: readonly string[]; json: string }[] = []
  const confirms: { lane: string; confirm(outcome: PublishOutcome): void }[] = []
  const outbox = createOutbox<string>(
    batchSize === undefined ? {} : { batchSizeOf: () => batchSize },
    {
      publish(lane, { items, json }) {
        messages.push({ lane, items, json })
        return new Promise((confirm) => confirms.push({ lane, confirm }))
      },
    },
  )
  return {
    messages,
    send: (item: string, lane = 'a') => outbox.send(lane, item),
    release: (lane: string) => outbox.release(lane),
    sent: (lane = 'a') =>
      messages.filter((it) => it.lane === lane).map(({ items }) => items.join('')),
    async confirm(lane = 'a') {
      for (const it of confirms.splice(0)) {
        if (it.lane === lane) it.confirm('routed')
        else confirms.push(it)
      }
      await turn()
    },
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('the outbox', () => {
  it('sends what comes in one turn as one message, and resolves at its confirm only', async () => {
    const { messages, send, confirm } = manualOutbox()
    let confirmed = 0
    for (const item of ['x', 'y', 'z']) void send(item).then(() => (confirmed += 1))
    await turn()
    expect(messages).toEqual([{ lane: 'a', items: ['x', 'y', 'z'], json: '["x","y","z"]' }])
    expect(confirmed).toBe(0)
    await confirm()
    expect(confirmed).toBe(3)
  })

  it('gathers while four messages are unconfirmed, then sends the rest fuller', async () => {
    const { send, sent, confirm } = manualOutbox()
    for (const item of 'abcdefg') {
      void send(item)
      await turn()
    }
    expect(sent()).toEqual(['a', 'b', 'c', 'd'])
    await confirm()
    expect(sent()).toEqual(['a', 'b', 'c', 'd', 'efg'])
  })

  it('sends at most 64 items, and one mebibyte, in one message', async () => {
    const many = manualOutbox()
    for (let count = 0; count <= LIMITS.maxBatchItems; count += 1) void many.send('x')
    await turn()
    expect(many.messages.map(({ items }) => items.length)).toEqual([LIMITS.maxBatchItems, 1])

    const large = manualOutbox()
    for (let count = 0; count < 3; count += 1) void large.send('é'.repeat(LIMITS.maxBatchBytes / 5))
    await turn()
    expect(large.messages.map(({ items }) => items.length)).toEqual([2, 1])
    for (const { json } of large.messages) {
      expect(Buffer.byteLength(json)).toBeLessThanOrEqual(LIMITS.maxBatchBytes)
    }
  })

  it('sends what is too large for any message alone, for its publish to refuse', async () => {
    const { messages, send } = manualOutbox()
    for (const item of ['x', 'x'.repeat(LIMITS.maxBatchBytes), 'y']) void send(item)
    await turn()
    expect(messages.map(({ items }) => items.length)).toEqual([1, 1, 1])
  })

  it('keeps to the batch size of a lane, and lets batches of one go without gathering', async () => {
    const pairs = manualOutbox(2)
    for (const item of 'abcde') void pairs.send(item)
    await turn()
    expect(pairs.sent()).toEqual(['ab', 'cd', 'e'])

    const singles = manualOutbox(1)
    for (const item of 'abcdefgh') void singles.send(item)
    await turn()
    expect(singles.sent()).toEqual([...'abcdefgh'])
  })

  it('holds up no lane for another that does not confirm', async () => {
    const { send, sent, confirm } = manualOutbox()
    for (let count = 0; count < 1_000; count += 1) void send('x', 'stuck')
    await turn()
    expect(sent('stuck')).toHaveLength(4)
    for (const item of 'abcdefgh') {
      void send(item, 'quick')
      await turn()
      await confirm('quick')
    }
    expect(sent('quick')).toEqual([...'abcdefgh'])
    expect(sent('stuck')).toHaveLength(4)
  })

  it('sends what has gathered on a lane that is released, and what comes then as ever', async () => {
    const { send, sent, confirm, release } = manualOutbox()
    for (const item of 'abcdefg') {
      void send(item)
      await turn()
    }
    release('a')
    expect(sent()).toEqual(['a', 'b', 'c', 'd', 'efg'])
    await confirm()
    for (const item of 'hijkl') {
      void send(item)
      await turn()
    }
    expect(sent().slice(5)).toEqual(['h', 'i', 'j', 'k'])
    release('no such lane')
  })

  it('tells each item what became of its message', async () => {
    const outcomes: (PublishOutcome | Error)[] = ['unroutable', new UnavailableError('away')]
    const outbox = createOutbox<string>(
      { batchSizeOf: () => 1 },
      {
        async publish() {
          const outcome = outcomes.shift()!
          if (outcome instanceof Error) throw outcome
          return outcome
        },
      },
    )
    const first = outbox.send('a', 'x')
    const second = outbox.send('a', 'y')
    await expect(first).resolves.toBe('unroutable')
    await expect(second).rejects.toThrow('away')
  })
})

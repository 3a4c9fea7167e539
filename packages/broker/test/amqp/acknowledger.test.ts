import { describe, expect, it } from 'vitest'
import { Acknowledger } from '../../src/amqp/acknowledger.ts'

interface Fields {
  fields: { deliveryTag: number }
}

/** An acknowledger that has taken the deliveries 1 to `count`, and the frames that it sends. */
function taken(count: number) {
  const frames: string[] = []
  const acknowledger = new Acknowledger({
    ack: ({ fields }: Fields, allUpTo = false) =>
      void frames.push(`ack ${allUpTo ? 'up to ' : ''}${fields.deliveryTag}`),
    nack: ({ fields }: Fields, _allUpTo?: boolean, requeue?: boolean) =>
      void frames.push(`${requeue ? 'requeue' : 'reject'} ${fields.deliveryTag}`),
  })
  for (let tag = 1; tag <= count; tag += 1) acknowledger.taken(message(tag))
  return {
    frames,
    acknowledger,
    ack: (...tags: number[]) => tags.forEach((tag) => void acknowledger.ack(message(tag))),
  }
}

const message = (deliveryTag: number) => ({ fields: { deliveryTag } }) as never
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('the acknowledger', () => {
  it('sends one frame for what is acknowledged in one turn, in whatever order', async () => {
    const { frames, ack } = taken(5)
    ack(2, 1, 3)
    expect(frames).toEqual([])
    await turn()
    ack(5, 4)
    await turn()
    expect(frames).toEqual(['ack up to 3', 'ack up to 5'])
  })

  it('acknowledges nothing beyond a delivery in hand but what was, one by one', async () => {
    const { frames, ack } = taken(6)
    ack(1, 2, 4, 6)
    await turn()
    expect(frames).toEqual(['ack 4', 'ack 6', 'ack up to 2'])
    ack(3)
    await turn()
    expect(frames.slice(3)).toEqual(['ack 3'])
    ack(5)
    await turn()
    expect(frames.slice(4)).toEqual(['ack 5'])
  })

  it('never takes along what was given back', async () => {
    const { frames, ack, acknowledger } = taken(4)
    ack(1)
    acknowledger.nack(message(2), { requeue: true })
    acknowledger.nack(message(3), { requeue: false })
    ack(4)
    await turn()
    expect(frames).toEqual(['requeue 2', 'reject 3', 'ack up to 4'])
  })

  it('sends at once when asked to, and nothing twice', async () => {
    const { frames, ack, acknowledger } = taken(2)
    ack(1, 2)
    acknowledger.flush()
    expect(frames).toEqual(['ack up to 2'])
    await turn()
    expect(frames).toHaveLength(1)
  })

  it('survives a channel that refuses everything because it closes', async () => {
    const refuse = () => {
      throw new Error('the channel is closing')
    }
    const acknowledger = new Acknowledger({ ack: refuse, nack: refuse })
    acknowledger.taken(message(1))
    acknowledger.taken(message(2))
    acknowledger.ack(message(1))
    expect(() => acknowledger.flush()).not.toThrow()
    expect(() => acknowledger.nack(message(2), { requeue: true })).not.toThrow()
  })
})

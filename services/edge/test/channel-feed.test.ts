import { silentLog } from '@signalbox/kit'
import { waitFor } from '@signalbox/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Break, openChannelFeed } from '../src/channel-feed.ts'
import { FakeChannels } from './fake-channels.ts'

const CHANNEL = { accountKey: 'demo', kind: 'person' as const, personKey: 'p1' }

async function startFeed(channels = new FakeChannels()) {
  const seen: string[] = []
  const breaks: Break[] = []
  let missed = 0
  const feed = openChannelFeed(CHANNEL, {
    channels,
    log: silentLog,
    pageSize: 100,
    onMessage: ({ id }) => seen.push(id),
    onBreak: (found) => breaks.push(found),
    onMissed(count) {
      missed += count
    },
  })
  await feed.live()
  return { channels, feed, seen, breaks, missed: () => missed }
}

const seeing = (seen: readonly string[], id: string) =>
  waitFor(() => seen.includes(id), { what: `message ${id}`, intervalMs: 1 })

describe('a channel feed', () => {
  it('passes on what comes after it is live, and nothing of before', async () => {
    const channels = new FakeChannels()
    channels.append('old')
    const { seen } = await startFeed(channels)
    channels.append('a')
    channels.append('b')
    expect(seen).toEqual(['a', 'b'])
  })

  it('reads from the log what it lost, in order and once, before anything was seen too', async () => {
    const channels = new FakeChannels()
    channels.append('old')
    const { seen } = await startFeed(channels)
    channels.append('a', 'lost')
    channels.append('b', 'lost')
    channels.lose()
    await seeing(seen, 'b')
    channels.append('c')
    expect(seen).toEqual(['a', 'b', 'c'])
  })

  it('reads what a skipped offset shows to be lost', async () => {
    const { channels, seen } = await startFeed()
    channels.append('a')
    channels.append('b', 'lost')
    channels.append('c')
    await seeing(seen, 'c')
    expect(seen).toEqual(['a', 'b', 'c'])
  })

  it('delivers once what is read from the log and arrives late as well', async () => {
    const { channels, seen } = await startFeed()
    const arriveLate = channels.append('a', 'lost')
    channels.lose()
    await seeing(seen, 'a')
    arriveLate()
    channels.append('b')
    expect(seen).toEqual(['a', 'b'])
  })

  it('takes a log that began again for what it is', async () => {
    const { channels, seen } = await startFeed()
    channels.append('a')
    channels.append('b')
    channels.reset()
    channels.append('c')
    channels.append('d', 'lost')
    channels.lose()
    await seeing(seen, 'd')
    expect(seen).toEqual(['a', 'b', 'c', 'd'])
  })

  it('misses nothing of a log that began again and has grown past the old one', async () => {
    const { channels, seen } = await startFeed()
    channels.append('a')
    channels.append('b')
    channels.reset()
    for (const id of ['c', 'd', 'e', 'f']) channels.append(id, 'lost')
    channels.lose()
    await seeing(seen, 'f')
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  })

  it('goes on from the last message it knows when the newest part of the log was forgotten', async () => {
    const { channels, seen } = await startFeed()
    channels.append('a')
    channels.append('b')
    channels.reset()
    channels.append('a', 'lost')
    channels.append('c', 'lost')
    channels.lose()
    await seeing(seen, 'c')
    expect(seen).toEqual(['a', 'b', 'c'])
  })

  it('counts what left the log before it could be read', async () => {
    const { channels, seen, missed } = await startFeed()
    channels.append('a')
    channels.append('b', 'lost')
    channels.append('c', 'lost')
    channels.append('d', 'lost')
    channels.log.splice(0, 3)
    channels.lose()
    await seeing(seen, 'd')
    expect(seen).toEqual(['a', 'd'])
    expect(missed()).toBe(2)
  })

  it('tries again until the log can be read, and lets nobody wait for that', async () => {
    const { channels, feed, seen } = await startFeed()
    channels.append('a', 'lost')
    channels.isAway = true
    channels.lose()
    await expect(feed.live()).rejects.toMatchObject({ code: 'SB_STORE_UNAVAILABLE' })
    channels.isAway = false
    await seeing(seen, 'a')
    await feed.live()
  })

  it('fails to start, and leaves no subscription, when the store cannot be read', async () => {
    const channels = new FakeChannels()
    channels.isUnreadable = true
    await expect(startFeed(channels)).rejects.toMatchObject({ code: 'SB_UNAVAILABLE' })
    expect(channels.subscribeCount).toBe(1)
    expect(channels.subscribers.size).toBe(0)
  })

  it('passes nothing on after it is closed, also when it is closed while it starts', async () => {
    const channels = new FakeChannels()
    const { feed, seen } = await startFeed(channels)
    await feed.close()
    await feed.close()
    expect(channels.subscribers.size).toBe(0)
    channels.append('a')
    expect(seen).toEqual([])

    const starting = openChannelFeed(CHANNEL, {
      channels,
      log: silentLog,
      pageSize: 100,
      onMessage: ({ id }) => seen.push(id),
      onBreak: () => undefined,
      onMissed: () => undefined,
    })
    await starting.close()
    expect(channels.subscribers.size).toBe(0)
  })

  it('shows every message once and in order, whatever is lost and however late it arrives', async () => {
    const arrival = fc.record({
      isLost: fc.boolean(),
      isLate: fc.boolean(),
      lose: fc.boolean(),
      turns: fc.integer({ min: 0, max: 3 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(arrival, { maxLength: 30 }), async (arrivals) => {
        const { channels, feed, seen } = await startFeed()
        for (const [index, { isLost, isLate, lose, turns }] of arrivals.entries()) {
          const arrive = channels.append(`m${index}`, isLost ? 'lost' : 'live')
          if (lose) channels.lose()
          for (let turn = 0; turn < turns; turn++) await Promise.resolve()
          // n.b. a late double is of a message that was the newest: a subscription keeps the order.
          if (isLate && seen.at(-1) === `m${index}`) arrive()
        }
        channels.append('end')
        await seeing(seen, 'end')
        expect(seen).toEqual([...arrivals.map((_, index) => `m${index}`), 'end'])
        await feed.close()
      }),
      { numRuns: 50 },
    )
  })
})

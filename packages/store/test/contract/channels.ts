/** What channels promise on every engine. */
import { waitFor } from '@signalbox/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Channel, ChannelEntry, ChannelMessage, Store } from '../../src/index.ts'
import { type Engine, freshAccount } from '../fixtures.ts'

const entry = (channel: Channel, id: string, payload = `payload ${id}`): ChannelEntry => ({
  channel,
  id,
  payload,
})
const freshChannel = (): Channel => ({ accountKey: freshAccount(), personKey: 'p1' })

export function describeChannels(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open()
  })
  afterAll(() => store.close())

  const idsOf = async (channel: Channel, from: Store = store) =>
    (await from.channels.read(channel, 0, 1_000)).map(({ id }) => id)

  it('numbers what is appended from 1 and reads it oldest first', async () => {
    const channel = freshChannel()
    await store.channels.append([entry(channel, 'a'), entry(channel, 'b')])
    await store.channels.append([entry(channel, 'c')])
    expect(await store.channels.read(channel, 0, 10)).toEqual([
      { offset: 1, id: 'a', payload: 'payload a' },
      { offset: 2, id: 'b', payload: 'payload b' },
      { offset: 3, id: 'c', payload: 'payload c' },
    ])
    expect(await store.channels.read(channel, 1, 1)).toMatchObject([{ offset: 2 }])
    expect(await store.channels.read(channel, 3, 10)).toEqual([])
    expect(await store.channels.read(freshChannel(), 0, 10)).toEqual([])
  })

  it('keeps any text as id and payload', async () => {
    const channel = freshChannel()
    const text = 'line\nbreak \u0000 "quoted" 你好 🦁'
    await store.channels.append([entry(channel, text, text), entry(channel, 'empty', '')])
    expect(await store.channels.read(channel, 0, 10)).toEqual([
      { offset: 1, id: text, payload: text },
      { offset: 2, id: 'empty', payload: '' },
    ])
  })

  it('appends an id that is still in the log only once, within a call and across calls', async () => {
    const channel = freshChannel()
    await store.channels.append([entry(channel, 'a'), entry(channel, 'a', 'again')])
    await store.channels.append([entry(channel, 'a', 'again'), entry(channel, 'b')])
    expect(await store.channels.read(channel, 0, 10)).toEqual([
      { offset: 1, id: 'a', payload: 'payload a' },
      { offset: 2, id: 'b', payload: 'payload b' },
    ])
  })

  it('keeps the newest messages only, and takes again an id that fell off', async () => {
    await using small = engine.open({ maxChannelMessages: 2 })
    const channel = freshChannel()
    await small.channels.append(['a', 'b', 'c'].map((id) => entry(channel, id)))
    expect(await small.channels.read(channel, 0, 10)).toMatchObject([
      { offset: 2, id: 'b' },
      { offset: 3, id: 'c' },
    ])
    await small.channels.append([entry(channel, 'a')])
    expect(await small.channels.read(channel, 0, 10)).toMatchObject([
      { offset: 3, id: 'c' },
      { offset: 4, id: 'a' },
    ])
  })

  it('forgets the messages of a channel that fell silent, but not its offset', async () => {
    await using brief = engine.open({ channelTtlMs: 60 })
    const channel = freshChannel()
    await brief.channels.append([entry(channel, 'a'), entry(channel, 'b')])
    await waitFor(async () => (await idsOf(channel, brief)).length === 0, {
      what: 'the messages to expire',
    })
    await brief.channels.append([entry(channel, 'a')])
    await waitFor(async () => (await idsOf(channel, brief)).length === 0, {
      what: 'the message to expire',
    })
    const heard: ChannelMessage[] = []
    const unsubscribe = await brief.channels.subscribe(channel, (message) => heard.push(message))
    await brief.channels.append([entry(channel, 'c')])
    await waitFor(() => heard.length === 1, { what: 'the message' })
    expect(heard).toMatchObject([{ offset: 4, id: 'c' }])
    await unsubscribe()
  })

  it('delivers to every subscriber in order, across calls that do not wait for each other', async () => {
    const channel = freshChannel()
    const heard: ChannelMessage[][] = [[], []]
    const ends = await Promise.all(
      heard.map((messages) =>
        store.channels.subscribe(channel, (message) => messages.push(message)),
      ),
    )
    const ids = Array.from({ length: 200 }, (_, index) => `m${index}`)
    await Promise.all(ids.map((id) => store.channels.append([entry(channel, id)])))
    await waitFor(() => heard.every((messages) => messages.length === ids.length), {
      what: 'all messages at both subscribers',
    })
    for (const messages of heard) {
      expect(messages.map(({ id }) => id)).toEqual(ids)
      expect(messages.map(({ offset }) => offset)).toEqual(ids.map((_, index) => index + 1))
    }
    await Promise.all(ends.map((end) => end()))
  })

  it('delivers across stores of one engine only what its channel got', async () => {
    const channel = freshChannel()
    const elsewhere = [
      { ...channel, personKey: 'p2' },
      { ...channel, accountKey: freshAccount() },
    ]
    const heard: ChannelMessage[] = []
    const end = await store.channels.subscribe(channel, (message) => heard.push(message))
    await store.channels.append([
      ...elsewhere.map((other) => entry(other, 'x')),
      entry(channel, 'y'),
    ])
    await waitFor(() => heard.length > 0, { what: 'the message' })
    expect(heard).toEqual([{ offset: 1, id: 'y', payload: 'payload y' }])
    await end()
  })

  it('delivers nothing to who has unsubscribed, and goes on for the others', async () => {
    const channel = freshChannel()
    const gone: string[] = []
    const there: string[] = []
    const leave = await store.channels.subscribe(channel, ({ id }) => gone.push(id))
    const end = await store.channels.subscribe(channel, ({ id }) => there.push(id))
    await leave()
    await leave()
    await store.channels.append([entry(channel, 'a')])
    await waitFor(() => there.length === 1, { what: 'the message at who stayed' })
    expect(gone).toEqual([])
    await end()

    const back: string[] = []
    const endAgain = await store.channels.subscribe(channel, ({ id }) => back.push(id))
    await store.channels.append([entry(channel, 'b')])
    await waitFor(() => back.length === 1, { what: 'the message after subscribing again' })
    expect(there).toEqual(['a'])
    await endAgain()
  })

  it('holds when many subscribe to and leave one channel at once', async () => {
    const channel = freshChannel()
    const heard: string[] = []
    const last = store.channels.subscribe(channel, ({ id }) => heard.push(id))
    const others = Array.from({ length: 50 }, async () => {
      const leave = await store.channels.subscribe(channel, () => undefined)
      await leave()
    })
    await Promise.all(others)
    const end = await last
    await store.channels.append([entry(channel, 'a')])
    await waitFor(() => heard.length === 1, { what: 'the message' })
    await end()
  })

  it('delivers to the others when a subscriber throws', async () => {
    const channel = freshChannel()
    const heard: string[] = []
    const ends = [
      await store.channels.subscribe(channel, () => {
        throw new Error('a fault of the subscriber')
      }),
      await store.channels.subscribe(channel, ({ id }) => heard.push(id)),
    ]
    await store.channels.append([entry(channel, 'a'), entry(channel, 'b')])
    await waitFor(() => heard.length === 2, { what: 'both messages' })
    expect(await idsOf(channel)).toEqual(['a', 'b'])
    await Promise.all(ends.map((end) => end()))
  })

  it.each([
    ['offset', (channel: Channel) => store.channels.read(channel, -1, 10)],
    ['limit', (channel: Channel) => store.channels.read(channel, 0, 0)],
  ])('refuses a bad %s and names it', async (path, call) => {
    await expect(call(freshChannel())).rejects.toMatchObject({
      code: 'SB_INVALID_INPUT',
      details: [{ path }],
    })
  })
}

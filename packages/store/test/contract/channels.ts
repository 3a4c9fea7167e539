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
const freshChannel = (): Channel => ({
  accountKey: freshAccount(),
  kind: 'person',
  personKey: 'p1',
})
const accountOf = ({ accountKey }: Channel): Channel => ({ accountKey, kind: 'account' })

export function describeChannels(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open()
  })
  afterAll(() => store.close())

  const read = async (channel: Channel, afterOffset: number, limit: number, from = store) =>
    (await from.channels.open(channel, { afterOffset, limit })).messages
  const idsOf = async (channel: Channel, from: Store = store) =>
    (await read(channel, 0, 1_000, from)).map(({ id }) => id)
  const endOf = async (channel: Channel, from = store) => (await from.channels.open(channel)).end
  const statesOf = async (channel: Channel, from = store) =>
    (await from.channels.open(channel, { states: true })).states
  const setting = (channel: Channel, id: string, key: string, value = `${key} by ${id}`) => ({
    ...entry(channel, id),
    state: { key, value },
  })

  it('numbers what is appended from 1 and reads it oldest first', async () => {
    const channel = freshChannel()
    await store.channels.append([entry(channel, 'a'), entry(channel, 'b')])
    await store.channels.append([entry(channel, 'c')])
    const { epoch } = await endOf(channel)
    expect(await read(channel, 0, 10)).toEqual([
      { epoch, offset: 1, id: 'a', payload: 'payload a' },
      { epoch, offset: 2, id: 'b', payload: 'payload b' },
      { epoch, offset: 3, id: 'c', payload: 'payload c' },
    ])
    expect(await read(channel, 1, 1)).toMatchObject([{ offset: 2 }])
    expect(await read(channel, 3, 10)).toEqual([])
    expect(await read(freshChannel(), 0, 10)).toEqual([])
  })

  it('keeps any text as id and payload', async () => {
    const channel = freshChannel()
    const text = 'line\nbreak \u0000 "quoted" 你好 🦁'
    await store.channels.append([entry(channel, text, text), entry(channel, 'empty', '')])
    const { epoch } = await endOf(channel)
    expect(await read(channel, 0, 10)).toEqual([
      { epoch, offset: 1, id: text, payload: text },
      { epoch, offset: 2, id: 'empty', payload: '' },
    ])
  })

  it('appends an id that is still in the log only once, within a call and across calls', async () => {
    const channel = freshChannel()
    await store.channels.append([entry(channel, 'a'), entry(channel, 'a', 'again')])
    await store.channels.append([entry(channel, 'a', 'again'), entry(channel, 'b')])
    const { epoch } = await endOf(channel)
    expect(await read(channel, 0, 10)).toEqual([
      { epoch, offset: 1, id: 'a', payload: 'payload a' },
      { epoch, offset: 2, id: 'b', payload: 'payload b' },
    ])
  })

  it('keeps the newest messages only, and takes again an id that fell off', async () => {
    await using small = engine.open({ maxChannelMessages: 2 })
    const channel = freshChannel()
    await small.channels.append(['a', 'b', 'c'].map((id) => entry(channel, id)))
    expect(await read(channel, 0, 10, small)).toMatchObject([
      { offset: 2, id: 'b' },
      { offset: 3, id: 'c' },
    ])
    await small.channels.append([entry(channel, 'a')])
    expect(await read(channel, 0, 10, small)).toMatchObject([
      { offset: 3, id: 'c' },
      { offset: 4, id: 'a' },
    ])
  })

  it('forgets the messages of a channel that fell silent, but not where they ended', async () => {
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
    expect(await endOf(channel, brief)).toEqual({ epoch: heard[0]!.epoch, offset: 4, id: 'c' })
    await unsubscribe()
  })

  it('begins its epoch at the first use, whatever that is, and keeps it', async () => {
    const [opened, appended] = [freshChannel(), freshChannel()]
    const { epoch } = await endOf(opened)
    expect(epoch).toMatch(/^[A-Za-z0-9_-]{12,}$/)
    expect(await endOf(opened)).toEqual({ epoch, offset: 0, id: '' })
    await store.channels.append([entry(opened, 'a'), entry(appended, 'b')])
    expect(await endOf(opened)).toEqual({ epoch, offset: 1, id: 'a' })
    const other = await endOf(appended)
    expect(other).toMatchObject({ offset: 1, id: 'b' })
    expect(other.epoch).not.toBe(epoch)
    expect((await read(appended, 0, 10))[0]).toMatchObject({ epoch: other.epoch })
  })

  it('shows its end, its newest messages and its states as of one moment, while others append', async () => {
    const channel = freshChannel()
    const appending = Array.from({ length: 60 }, (_, index) =>
      store.channels.append([setting(channel, `m${index}`, `k${index % 3}`)]),
    )
    const views = await Promise.all(
      Array.from({ length: 20 }, () => store.channels.open(channel, { limit: 3, states: true })),
    )
    await Promise.all(appending)
    for (const { end, messages, states } of views) {
      const newest = messages.map(({ id, offset }) => ({ id, offset }))
      const expected = Array.from({ length: Math.min(3, end.offset) }, (_, index) => {
        const offset = end.offset - Math.min(3, end.offset) + index + 1
        return { id: `m${offset - 1}`, offset }
      })
      expect(newest).toEqual(expected)
      expect(states).toEqual(expected.map(({ id, offset }) => `k${(offset - 1) % 3} by ${id}`))
    }
  })

  it('shows no messages and no states to who does not ask for them', async () => {
    const channel = freshChannel()
    await store.channels.append([setting(channel, 'a', 'k')])
    const view = await store.channels.open(channel)
    expect(view).toEqual({ end: { ...view.end, offset: 1, id: 'a' }, messages: [] })
    expect((await store.channels.open(channel, { states: true })).messages).toEqual([])
  })

  it('keeps what is current under each key, in the order of the changes, and any text', async () => {
    const channel = freshChannel()
    expect(await statesOf(channel)).toEqual([])
    await store.channels.append([
      setting(channel, 'a', 'flow:1'),
      setting(channel, 'b', 'flow:2', 'line\nbreak 🦁'),
      entry(channel, 'c'),
      setting(channel, 'd', 'flow:1', ''),
    ])
    expect(await statesOf(channel)).toEqual(['line\nbreak 🦁', ''])
    await store.channels.append([setting(channel, 'b', 'flow:2', 'a change that was taken before')])
    expect(await statesOf(channel)).toEqual(['line\nbreak 🦁', ''])
    expect(await statesOf(accountOf(channel))).toEqual([])
  })

  it('keeps the newest states only, longer than the messages, but not for ever', async () => {
    await using small = engine.open({ maxChannelStates: 2, channelTtlMs: 30 })
    const channel = freshChannel()
    await small.channels.append(
      ['k1', 'k2', 'k1', 'k3'].map((key, i) => setting(channel, `${i}`, key)),
    )
    await waitFor(async () => (await idsOf(channel, small)).length === 0, {
      what: 'the messages to expire',
    })
    expect(await statesOf(channel, small)).toEqual(['k1 by 2', 'k3 by 3'])
    await using brief = engine.open({ channelStateTtlMs: 30 })
    await brief.channels.append([setting(channel, 'e', 'k1')])
    await waitFor(async () => (await statesOf(channel, brief))?.length === 0, {
      what: 'the states to expire',
    })
  })

  it("keeps more of an account's channel than of a person's", async () => {
    await using small = engine.open({ maxChannelMessages: 1, maxAccountChannelMessages: 3 })
    const channel = freshChannel()
    const ids = ['a', 'b', 'c', 'd']
    await small.channels.append(
      ids.flatMap((id) => [entry(channel, id), entry(accountOf(channel), id)]),
    )
    expect(await idsOf(channel, small)).toEqual(['d'])
    expect(await idsOf(accountOf(channel), small)).toEqual(['b', 'c', 'd'])
  })

  it('forgets a channel on demand: tells its subscribers, and begins another epoch', async () => {
    const channel = freshChannel()
    const heard: (ChannelMessage | 'lost')[] = []
    const end = await store.channels.subscribe(
      channel,
      (message) => heard.push(message),
      () => heard.push('lost'),
    )
    await store.channels.append([setting(channel, 'a', 'k')])
    const { epoch } = await endOf(channel)
    await store.channels.forget(channel)
    await store.channels.forget(freshChannel())
    await store.channels.append([entry(channel, 'a')])
    await waitFor(() => heard.length === 3, { what: 'the message of the new epoch' })
    expect(heard).toMatchObject([{ epoch, id: 'a' }, 'lost', { offset: 1, id: 'a' }])
    expect((await endOf(channel)).epoch).not.toBe(epoch)
    expect(await statesOf(channel)).toEqual([])
    await end()
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
    const elsewhere: Channel[] = [
      { accountKey: channel.accountKey, kind: 'person', personKey: 'p2' },
      { accountKey: channel.accountKey, kind: 'person', personKey: 'account' },
      { ...channel, accountKey: freshAccount() },
      accountOf(channel),
    ]
    const heard: ChannelMessage[] = []
    const end = await store.channels.subscribe(channel, (message) => heard.push(message))
    await store.channels.append([
      ...elsewhere.map((other) => entry(other, 'x')),
      entry(channel, 'y'),
    ])
    await waitFor(() => heard.length > 0, { what: 'the message' })
    const { epoch } = await endOf(channel)
    expect(heard).toEqual([{ epoch, offset: 1, id: 'y', payload: 'payload y' }])
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
    ['offset', (channel: Channel) => read(channel, -1, 10)],
    ['limit', (channel: Channel) => read(channel, 0, 1_001)],
  ])('refuses a bad %s and names it', async (path, call) => {
    await expect(call(freshChannel())).rejects.toMatchObject({
      code: 'SB_INVALID_INPUT',
      details: [{ path }],
    })
  })
}

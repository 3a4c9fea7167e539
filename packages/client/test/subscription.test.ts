import { describe, expect, it, vi } from 'vitest'
import type { StateChangeItem, StateChangeOptions } from '../src/index.ts'
import { change, changeFrame, opened, P1, useBed } from './bed.ts'

useBed()

/** Callbacks that write down what they are told. */
function noting() {
  const notes: string[] = []
  const options: StateChangeOptions = {
    onChange: ({ id }) => notes.push(id),
    onGap: ({ reason }) => notes.push(`gap: ${reason}`),
    onSnapshot: (states) => notes.push(`snapshot: ${states.map(({ id }) => id).join()}`),
    onError: ({ code }, willRetry) => notes.push(`${code}${willRetry ? ', again' : ''}`),
  }
  return { notes, options }
}

const state = (id: string) => ({ entity: 'flow', id, identifier: 'i', state: 'active' })
const shown = (item: StateChangeItem) =>
  item.kind === 'change' ? item.change.id : item.kind === 'gap' ? `gap: ${item.reason}` : item.kind

describe('a subscription', () => {
  it('asks for resumption, and tells each change with its cursor', async () => {
    const { client, socket } = await opened()
    const told: unknown[] = []
    const subscription = client.subscribeStateChange(P1, {
      onChange: (...change) => told.push(change),
    })
    const { action, data, request_id } = socket.answer({ cursor: 'e.0.0' })
    expect({ action, data }).toEqual({
      action: 'subscribe_state_change',
      data: { person_key: 'p1', entity: 'flow', resume: true },
    })
    await subscription.live()
    socket.frame(changeFrame(request_id, 'a', 'e.1.a'))
    expect(told).toEqual([[change('a'), 'e.1.a']])
    expect(subscription.cursor).toBe('e.1.a')
  })

  it('made before the socket is open is asked for when it is', async () => {
    const { client, socket } = await opened()
    client.subscribe({ conversationType: 'poll', when: 'true', eventType: undefined })
    expect(socket.take()).toMatchObject({
      action: 'subscribe',
      data: { conversation_type: 'poll', when: 'true', resume: true },
    })
  })

  it('goes on over the next socket after the last change, without a word when nothing is missing', async () => {
    const bed = await opened()
    const { notes, options } = noting()
    bed.client.subscribeStateChange(P1, options)
    const { request_id } = bed.socket.answer({ cursor: 'e.0.0' })
    bed.socket.frame(changeFrame(request_id, 'a', 'e.1.a'))
    bed.socket.end()
    const next = await bed.reopen()
    const again = next.answer({ cursor: 'e.1.a', recovered: true })
    expect(again.data).toEqual({ person_key: 'p1', entity: 'flow', resume: true, since: 'e.1.a' })
    next.frame(changeFrame(again.request_id, 'b', 'e.2.b'))
    expect(notes).toEqual(['a', 'b'])
  })

  it('tells the gap and the present states when something is missing', async () => {
    const bed = await opened()
    const { notes, options } = noting()
    bed.client.subscribeStateChange(P1, options)
    bed.socket.answer({ cursor: 'e.0.0' })
    bed.socket.end()
    const next = await bed.reopen()
    const again = next.answer({ cursor: 'f.9.z', recovered: false, snapshot: [state('s')] })
    expect(again.data.since).toBe('e.0.0')
    next.frame(changeFrame(again.request_id, 'b', 'f.10.b'))
    next.frame({ event: 'gap', request_id: again.request_id, data: {}, cursor: 'f.90.c' })
    expect(notes).toEqual(['gap: history', 'snapshot: s', 'b', 'gap: history'])
    next.end()
    expect((await bed.reopen()).take().data.since).toBe('f.90.c')
  })

  it('tells a gap after each reconnection to an edge that keeps no history', async () => {
    const bed = await opened()
    const { notes, options } = noting()
    bed.client.subscribeStateChange(P1, options)
    bed.socket.answer()
    bed.socket.end()
    ;(await bed.reopen()).answer()
    expect(notes).toEqual(['gap: history'])
  })

  it('that was cut before its answer has missed nothing', async () => {
    const bed = await opened()
    const { notes, options } = noting()
    bed.client.subscribeStateChange(P1, options)
    bed.socket.take()
    bed.socket.end()
    const next = await bed.reopen()
    expect(next.answer({ cursor: 'e.5.x' }).data).not.toHaveProperty('since')
    expect(notes).toEqual([])
  })

  it('is told nothing by a socket that was given up, whatever that one still says', async () => {
    const bed = await opened({ requestTimeoutMs: 1_000 })
    const { notes, options } = noting()
    bed.client.subscribeStateChange(P1, options)
    const first = bed.socket
    const { request_id } = first.take()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(first.closedBy).toBeDefined()
    first.frame({ request_id, errors: [], status: 200, cursor: 'e.0.0' })
    first.frame(changeFrame(request_id, 'late', 'e.1.a'))
    first.end()
    const next = await bed.reopen()
    expect(next.answer({ cursor: 'e.3.c' }).data).not.toHaveProperty('since')
    expect(bed.sockets).toHaveLength(2)
    expect(notes).toEqual([])
  })

  it('begins after a cursor that was kept from earlier', async () => {
    const bed = await opened()
    const { notes, options } = noting()
    const subscription = bed.client.subscribeStateChange(P1, { ...options, since: 'e.7.g' })
    expect(subscription.cursor).toBe('e.7.g')
    const { data, request_id } = bed.socket.answer({ cursor: 'e.7.g', recovered: true })
    expect(data.since).toBe('e.7.g')
    bed.socket.frame(changeFrame(request_id, 'h', 'e.8.h'))
    expect(notes).toEqual(['h'])
    expect(() => bed.client.subscribeStateChange(P1, { since: 'e.1.a' })).toThrow(/already/)
  })

  it('whose cursor is refused begins anew and tells the gap', async () => {
    const bed = await opened()
    const { notes, options } = noting()
    bed.client.subscribeStateChange(P1, { ...options, since: 'of another edge' })
    bed.socket.refuse(400, 'SB_INVALID_INPUT', 'data.since')
    expect(bed.socket.answer({ cursor: 'e.0.0' }).data).not.toHaveProperty('since')
    expect(notes).toEqual(['gap: history'])
  })

  it('is asked for again when the edge has trouble, and is over when it is forbidden', async () => {
    const bed = await opened()
    const { notes, options } = noting()
    const subscription = bed.client.subscribeStateChange(P1, options)
    bed.socket.refuse(503, 'SB_STORE_UNAVAILABLE')
    expect(bed.socket.untaken).toBe(0)
    await vi.advanceTimersByTimeAsync(1_000)
    bed.socket.refuse(403, 'SB_FORBIDDEN', 'data.person_key')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(bed.socket.untaken).toBe(0)
    expect(notes).toEqual(['SB_STORE_UNAVAILABLE, again', 'SB_FORBIDDEN'])
    await expect(subscription.live()).rejects.toMatchObject({ code: 'SB_FORBIDDEN', status: 403 })
    await expect(subscription[Symbol.asyncIterator]().next()).rejects.toThrow('it is SB_FORBIDDEN')
  })

  it('goes on when a callback throws, and the error is not lost', async () => {
    const { client, socket } = await opened()
    const thrown = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation(() => undefined)
    const told: string[] = []
    client.subscribeStateChange(P1, {
      onChange({ id }) {
        told.push(id)
        throw new Error('of the application')
      },
    })
    const { request_id } = socket.answer()
    socket.frame(changeFrame(request_id, 'a'))
    socket.frame(changeFrame(request_id, 'b'))
    expect(told).toEqual(['a', 'b'])
    expect(() => thrown.mock.calls[0]?.[0]()).toThrow('of the application')
    thrown.mockRestore()
  })
})

describe('unsubscribing', () => {
  it('tells the edge, and nothing comes after it', async () => {
    const { client, socket } = await opened()
    const { notes, options } = noting()
    const subscription = client.subscribeStateChange(P1, options)
    const { request_id } = socket.answer()
    subscription.unsubscribe()
    subscription.unsubscribe()
    socket.frame(changeFrame(request_id, 'late'))
    expect(socket.answer()).toMatchObject({
      action: 'unsubscribe_state_change',
      data: { person_key: 'p1', entity: 'flow' },
    })
    expect(socket.untaken).toBe(0)
    expect(notes).toEqual([])
  })

  it('while the answer is on its way leaves nothing subscribed, and subscribing again begins anew', async () => {
    const { client, socket } = await opened()
    const { notes, options } = noting()
    client.subscribeStateChange(P1, options).unsubscribe()
    client.subscribeStateChange(P1, options)
    const first = socket.answer({ cursor: 'e.0.0' })
    socket.frame(changeFrame(first.request_id, 'of the first', 'e.1.a'))
    expect(socket.answer().action).toBe('unsubscribe_state_change')
    socket.frame(changeFrame(first.request_id, 'of the first', 'e.1.a'))
    const second = socket.answer({ cursor: 'e.1.a' })
    expect(second.data).toEqual({ person_key: 'p1', entity: 'flow', resume: true })
    socket.frame(changeFrame(second.request_id, 'of the second', 'e.2.b'))
    expect(notes).toEqual(['of the second'])
  })

  it('without a socket is remembered: the next one is not asked', async () => {
    const bed = await opened()
    const subscription = bed.client.subscribeStateChange(P1)
    bed.socket.answer()
    bed.socket.end()
    subscription.unsubscribe()
    expect((await bed.reopen()).untaken).toBe(0)
  })

  it('while the edge has trouble ends the trying', async () => {
    const { client, socket } = await opened()
    const subscription = client.subscribeStateChange(P1)
    socket.refuse(503, 'SB_STORE_UNAVAILABLE')
    subscription.unsubscribe()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(socket.untaken).toBe(0)
  })

  it('that the edge has no time for is tried again before anything else', async () => {
    const { client, socket } = await opened()
    const { notes, options } = noting()
    const subscription = client.subscribeStateChange(P1)
    const { request_id } = socket.answer({ cursor: 'e.0.0' })
    subscription.unsubscribe()
    client.subscribeStateChange(P1, { ...options, since: 'e.0.0' })
    expect(socket.refuse(429, 'SB_TOO_MANY').action).toBe('unsubscribe_state_change')
    socket.frame(changeFrame(request_id, 'of the first', 'e.1.a'))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(socket.answer().action).toBe('unsubscribe_state_change')
    expect(socket.answer({ cursor: 'e.0.0', recovered: true }).data.since).toBe('e.0.0')
    expect(notes).toEqual([])
  })

  it('within a callback is the end of it', async () => {
    const { client, socket } = await opened()
    const told: string[] = []
    const subscription = client.subscribeStateChange(P1, {
      onChange({ id }) {
        told.push(id)
        subscription.unsubscribe()
      },
    })
    const { request_id } = socket.answer()
    socket.frame(changeFrame(request_id, 'a'))
    socket.frame(changeFrame(request_id, 'b'))
    expect(told).toEqual(['a'])
  })
})

describe('a second subscription to the same', () => {
  it('is told each change too, from the answer to its own request on', async () => {
    const { client, socket } = await opened()
    const one = noting()
    const two = noting()
    const first = client.subscribeStateChange(P1, one.options)
    const { request_id } = socket.answer({ cursor: 'e.0.0' })
    socket.frame(changeFrame(request_id, 'a', 'e.1.a'))
    const second = client.subscribeStateChange(P1, { ...two.options, snapshot: true })
    socket.frame(changeFrame(request_id, 'b', 'e.2.b'))
    const joining = socket.answer({ cursor: 'e.2.b', snapshot: [state('s')] })
    expect(joining.data).toMatchObject({ resume: true, snapshot: true })
    socket.frame(changeFrame(request_id, 'c', 'e.3.c'))
    expect(one.notes).toEqual(['a', 'b', 'c'])
    expect(two.notes).toEqual(['snapshot: s', 'c'])
    first.unsubscribe()
    expect(socket.untaken).toBe(0)
    second.unsubscribe()
    expect(socket.take().action).toBe('unsubscribe_state_change')
  })

  it('that joins while the first is being asked for is asked for after it', async () => {
    const { client, socket } = await opened()
    const [one, two] = [noting(), noting()]
    client.subscribeStateChange(P1, one.options)
    client.subscribeStateChange(P1, { ...two.options, snapshot: true })
    expect(socket.untaken).toBe(1)
    const { request_id } = socket.answer({ cursor: 'e.0.0' })
    socket.answer({ cursor: 'e.0.0', snapshot: [] })
    socket.frame(changeFrame(request_id, 'a', 'e.1.a'))
    expect([one.notes, two.notes]).toEqual([['a'], ['snapshot: ', 'a']])
  })

  it('that joined without a socket is told of no gap that was before it', async () => {
    const bed = await opened()
    const [one, two] = [noting(), noting()]
    bed.client.subscribeStateChange(P1, one.options)
    bed.socket.answer({ cursor: 'e.0.0' })
    bed.socket.end()
    bed.client.subscribeStateChange(P1, two.options)
    ;(await bed.reopen()).answer({ cursor: 'f.0.0', recovered: false, snapshot: [] })
    expect([one.notes, two.notes]).toEqual([['gap: history', 'snapshot: '], []])
  })
})

describe('a loop over a subscription', () => {
  it('takes what came before it and what comes after, and leaving it unsubscribes', async () => {
    const { client, socket } = await opened()
    const subscription = client.subscribeStateChange(P1, { snapshot: true })
    const { request_id } = socket.answer({ cursor: 'e.0.0', snapshot: [state('s')] })
    socket.frame(changeFrame(request_id, 'a', 'e.1.a'))
    const taken: string[] = []
    const looping = (async () => {
      for await (const item of subscription) {
        taken.push(shown(item))
        if (taken.length === 3) break
      }
    })()
    await vi.advanceTimersByTimeAsync(0)
    expect(taken).toEqual(['snapshot', 'a'])
    socket.frame(changeFrame(request_id, 'b', 'e.2.b'))
    await looping
    expect(taken).toEqual(['snapshot', 'a', 'b'])
    expect(socket.take().action).toBe('unsubscribe_state_change')
  })

  it('ends when the client is closed, after what was waiting', async () => {
    const { client, socket } = await opened()
    const subscription = client.subscribeStateChange(P1)
    const { request_id } = socket.answer()
    socket.frame(changeFrame(request_id, 'a'))
    socket.end()
    await client.close()
    const taken = []
    for await (const item of subscription) taken.push(shown(item))
    expect(taken).toEqual(['a'])
  })

  it('that is too slow finds a gap and the present states in the place of what it let wait', async () => {
    const { client, socket } = await opened()
    const subscription = client.subscribeStateChange(P1, { snapshot: true, maxBuffered: 3 })
    const { request_id } = socket.answer({ cursor: 'e.0.0', snapshot: [] })
    for (const id of 'abcd') socket.frame(changeFrame(request_id, id, `e.${id}`))
    const loop = subscription[Symbol.asyncIterator]()
    const take = async () => shown((await loop.next()).value as StateChangeItem)
    expect(await take()).toBe('gap: slow')
    expect(socket.answer({ cursor: 'e.d', snapshot: [state('s')] }).data.snapshot).toBe(true)
    expect([await take(), await take(), await take()]).toEqual(['c', 'd', 'snapshot'])
  })

  it('holds nothing back when there is a callback and no loop', async () => {
    const { client, socket } = await opened()
    const { notes, options } = noting()
    const subscription = client.subscribeStateChange(P1, { ...options, maxBuffered: 2 })
    const { request_id } = socket.answer()
    for (const id of 'abc') socket.frame(changeFrame(request_id, id))
    const loop = subscription[Symbol.asyncIterator]()
    socket.frame(changeFrame(request_id, 'd'))
    expect(shown((await loop.next()).value as StateChangeItem)).toBe('d')
    expect(notes).toEqual(['a', 'b', 'c', 'd'])
  })
})

import { describe, expect, it, vi } from 'vitest'
import { connect, type Status } from '../src/index.ts'
import { connected, opened, P1, useBed } from './bed.ts'
import { FakeSocket, freshToken } from './fake-sockets.ts'

useBed()

const states = (statuses: readonly Status[]) => statuses.map(({ state }) => state)

/** A socket of `ws`: it tells how it was refused. */
class RefusableSocket extends FakeSocket {
  #onRefusal: ((request: object, response: object) => void) | undefined
  on(_event: string, listener: (request: object, response: object) => void): void {
    this.#onRefusal = listener
  }
  refuseWith(statusCode: number, headers: Record<string, string> = {}): void {
    this.#onRefusal?.({ destroy: () => undefined }, { statusCode, headers })
    this.end()
  }
}

const refusable = (options: Parameters<typeof connected>[0] = {}) =>
  connected(options, RefusableSocket) as Promise<
    Awaited<ReturnType<typeof connected>> & { socket: RefusableSocket }
  >

/** Milliseconds until the next socket is made. */
async function untilNext(bed: { sockets: FakeSocket[] }, withinMs = 60_000): Promise<number> {
  const before = bed.sockets.length
  for (let ms = 0; ms <= withinMs; ms += 10) {
    await vi.advanceTimersByTimeAsync(ms === 0 ? 0 : 10)
    if (bed.sockets.length > before) return ms
  }
  throw new Error(`no socket within ${withinMs} ms`)
}

describe('connecting', () => {
  it('offers the subprotocol and the token, at the edge´s own path', async () => {
    const { socket, statuses } = await opened({ url: 'https://edge.example' })
    expect(socket.url).toBe('wss://edge.example/v1/socket')
    expect(socket.protocols).toEqual(['signalbox.v1', 'bearer.a-token'])
    expect(statuses).toEqual([
      { state: 'connecting', url: 'wss://edge.example/v1/socket' },
      { state: 'open', url: 'wss://edge.example/v1/socket' },
    ])
  })

  it('takes another path as it is, and throws for what is no address', async () => {
    const { socket } = await connected({ url: 'ws://proxy.example/live?zone=1' })
    expect(socket.url).toBe('ws://proxy.example/live?zone=1')
    for (const url of ['edge.example', 'ftp://edge.example', []]) {
      expect(() => connect({ url, token: () => '' })).toThrow(TypeError)
    }
  })

  it('waits longer from try to try, never for exactly as long as others, and at most for maxMs', async () => {
    const bed = await connected({ backoff: { initialMs: 1_000, maxMs: 8_000 } })
    for (const step of [1_000, 2_000, 4_000, 8_000, 8_000]) {
      bed.socket.end()
      const waitedMs = await untilNext(bed)
      expect(waitedMs).toBeGreaterThanOrEqual(step / 2 - 10)
      expect(waitedMs).toBeLessThanOrEqual(step + 10)
    }
    expect(states(bed.statuses).slice(0, 4)).toEqual([
      'connecting',
      'waiting',
      'connecting',
      'waiting',
    ])
  })

  it('forgets its failures once a socket was open for a while, and not before', async () => {
    const bed = await connected({ backoff: { initialMs: 100, maxMs: 60_000 } })
    for (let n = 0; n < 6; n += 1) {
      bed.socket.open()
      bed.socket.end()
      await untilNext(bed)
    }
    bed.socket.open()
    await vi.advanceTimersByTimeAsync(5_000)
    bed.socket.end()
    expect(await untilNext(bed)).toBeLessThanOrEqual(110)
  })

  it('gives up a handshake that is not answered', async () => {
    const bed = await connected({ connectTimeoutMs: 3_000 })
    await vi.advanceTimersByTimeAsync(3_000)
    expect(bed.socket.closedBy).toBeDefined()
    bed.socket.open()
    expect(bed.client.status.state).toBe('waiting')
    await bed.reopen()
  })

  it('rotates over the edges', async () => {
    const url = ['ws://one.example', 'ws://two.example', 'ws://three.example']
    const bed = await connected({ url })
    for (let n = 0; n < 2; n += 1) {
      bed.socket.end()
      await untilNext(bed)
    }
    expect(new Set(bed.sockets.map((socket) => new URL(socket.url).host)).size).toBe(3)
  })

  it('tries at once when the platform says that the network is there again', async () => {
    const listeners = new Map<string, () => void>()
    vi.stubGlobal('addEventListener', (type: string, listener: () => void) =>
      listeners.set(type, listener),
    )
    vi.stubGlobal('removeEventListener', (type: string) => listeners.delete(type))
    try {
      const bed = await connected({ backoff: { initialMs: 60_000, maxMs: 60_000 } })
      bed.socket.end()
      listeners.get('online')?.()
      expect(await untilNext(bed)).toBe(0)
      void bed.client.close()
      expect(listeners.size).toBe(0)
    } finally {
      vi.unstubAllGlobals()
    }
  })
})

describe('how a socket ends', () => {
  it.each([
    [1001, 0, 2_000],
    [1006, 500, 1_000],
    [1009, 15_000, 30_000],
    [4001, 0, 0],
    [4003, 15_000, 30_000],
    [4008, 500, 1_000],
  ])('decides how long to wait: after %i from %i to %i ms', async (code, leastMs, mostMs) => {
    const bed = await opened()
    bed.socket.end(code)
    const { status } = bed.client
    expect(status).toMatchObject({ state: 'waiting', error: { closeCode: code } })
    const { retryInMs } = status as Status & { state: 'waiting' }
    expect(retryInMs).toBeGreaterThanOrEqual(leastMs)
    expect(retryInMs).toBeLessThanOrEqual(mostMs)
  })

  it('spreads those whom one edge sent away', async () => {
    const waits: number[] = []
    for (let n = 0; n < 40; n += 1) {
      const bed = await opened()
      bed.socket.end(1001)
      waits.push((bed.client.status as Status & { state: 'waiting' }).retryInMs)
    }
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(1_000)
  })

  it('by an expired token brings a new one', async () => {
    let asked = 0
    const bed = await opened({ token: () => `token-${++asked}` })
    bed.socket.end(4001, 'token expired')
    await bed.reopen()
    expect(bed.socket.protocols[1]).toBe('bearer.token-2')
  })

  it('by a revoked token brings a new one, once', async () => {
    let asked = 0
    const bed = await opened({ token: () => `token-${++asked}` })
    const subscription = bed.client.subscribeStateChange(P1)
    bed.socket.end(4002, 'token revoked')
    await bed.reopen()
    expect(bed.socket.protocols[1]).toBe('bearer.token-2')
    bed.socket.end(4002, 'token revoked')
    await vi.advanceTimersByTimeAsync(120_000)
    expect(bed.sockets).toHaveLength(2)
    expect(bed.client.status).toMatchObject({
      state: 'closed',
      error: { code: 'SB_UNAUTHENTICATED', closeCode: 4002, message: 'token revoked' },
    })
    await expect(subscription.live()).rejects.toMatchObject({ closeCode: 4002 })
    expect(() => bed.client.subscribeStateChange(P1)).toThrow('the client is closed')
  })

  it('before it was open, twice without a word, casts doubt on the token', async () => {
    let asked = 0
    const bed = await connected({ token: () => `token-${++asked}` })
    for (let n = 0; n < 2; n += 1) {
      bed.socket.end()
      await untilNext(bed)
    }
    expect(bed.sockets.map(({ protocols }) => protocols[1])).toEqual([
      'bearer.token-1',
      'bearer.token-1',
      'bearer.token-2',
    ])
  })

  it('refused with 401 brings a new token once; with 403 it is final', async () => {
    let asked = 0
    const bed = await refusable({ token: () => `token-${++asked}` })
    bed.socket.refuseWith(401)
    expect(await untilNext(bed)).toBe(0)
    bed.socket.refuseWith(401)
    expect(bed.client.status).toMatchObject({ state: 'closed', error: { status: 401 } })
    expect(asked).toBe(2)

    const other = await refusable()
    other.socket.refuseWith(403)
    expect(other.client.status).toMatchObject({ state: 'closed', error: { code: 'SB_FORBIDDEN' } })
  })

  it('refused with Retry-After is honoured, and not by everybody in the same moment', async () => {
    const bed = await refusable()
    bed.socket.refuseWith(503, { 'retry-after': '20' })
    const waitedMs = await untilNext(bed)
    expect(waitedMs).toBeGreaterThanOrEqual(20_000)
    expect(waitedMs).toBeLessThanOrEqual(25_010)
    bed.socket.refuseWith(429, { 'retry-after': new Date(Date.now() + 40_000).toUTCString() })
    expect(await untilNext(bed)).toBeGreaterThanOrEqual(38_990)
  })
})

describe('an open socket', () => {
  it('is given up when a request is not answered in time', async () => {
    const bed = await opened({ requestTimeoutMs: 5_000 })
    bed.client.subscribeStateChange(P1)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(bed.socket.closedBy).toBeDefined()
    expect(bed.client.status).toMatchObject({
      error: { message: 'the edge did not answer within 5000 ms' },
    })
  })

  it('that is silent is asked whether it is there, and given up when it is not', async () => {
    const bed = await opened({ heartbeatMs: 10_000, requestTimeoutMs: 2_000 })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(bed.socket.answer().action).toBe('list')
    await vi.advanceTimersByTimeAsync(5_000)
    bed.socket.frame({ event: 'of a kind that is new', request_id: 1, data: {} })
    await vi.advanceTimersByTimeAsync(5_000)
    expect(bed.socket.untaken).toBe(0)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(bed.socket.take().action).toBe('list')
    await vi.advanceTimersByTimeAsync(2_000)
    expect(bed.client.status.state).toBe('waiting')
  })

  it('has a bounded number of unanswered requests', async () => {
    const bed = await opened()
    for (let n = 0; n < 50; n += 1) bed.client.subscribeStateChange({ ...P1, personKey: `p${n}` })
    expect(bed.socket.untaken).toBe(32)
    for (let n = 0; n < 50; n += 1) bed.socket.answer()
    expect(bed.socket.sent.map(({ data }) => data.person_key)).toEqual(
      Array.from({ length: 50 }, (_, n) => `p${n}`),
    )
  })

  it('that sends what is no JSON is given up', async () => {
    const bed = await opened()
    bed.socket.frame('{')
    expect(bed.client.status.state).toBe('waiting')
  })

  it('shows every frame to the tap, and no token', async () => {
    const frames: string[] = []
    const bed = await opened({
      token: () => freshToken(10),
      onFrame: (direction, text) => frames.push(`${direction} ${text}`),
    })
    await vi.advanceTimersByTimeAsync(10_000)
    const { data } = bed.socket.answer()
    expect(data.token).toMatch(/^ey/)
    expect(frames[0]).toMatch(
      /^out \{"action":"refresh_token","request_id":\d+,"data":\{"token":"…"\}\}$/,
    )
    expect(frames[1]).toMatch(/^in \{"request_id":/)
  })
})

describe('closing', () => {
  it('closes the socket with 1000, and resolves when it is closed', async () => {
    const { client, socket, statuses } = await opened()
    let isClosed = false
    const closing = client.close().then(() => {
      isClosed = true
    })
    expect(client.close()).toBeInstanceOf(Promise)
    await vi.advanceTimersByTimeAsync(1_000)
    expect({ isClosed, closedBy: socket.closedBy }).toEqual({
      isClosed: false,
      closedBy: { code: 1000 },
    })
    socket.end(1000)
    await closing
    expect(states(statuses)).toEqual(['connecting', 'open', 'closed'])
  })

  it('does not wait for ever for an edge that does not answer', async () => {
    const { client } = await opened()
    const closing = client.close()
    await vi.advanceTimersByTimeAsync(2_000)
    await closing
  })

  it('while a token is awaited opens no socket', async () => {
    const token = Promise.withResolvers<string>()
    const bed = await connected({ token: () => token.promise })
    await bed.client.close()
    token.resolve('too late')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(bed.sockets).toEqual([])
  })

  it('comes with the end of a block', async () => {
    const bed = await opened()
    const leaving = (async () => {
      await using _client = bed.client
    })()
    await vi.advanceTimersByTimeAsync(2_000)
    await leaving
    expect(bed.client.status).toEqual({ state: 'closed' })
  })
})

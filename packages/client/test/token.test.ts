import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { renewalDelayMs } from '../src/token.ts'
import { connected, opened, useBed } from './bed.ts'
import { type FakeSocket, freshToken, tokenOf } from './fake-sockets.ts'

useBed()

/** Lets the clock run until something is asked over the newest socket. */
async function asked({ socket }: { socket: FakeSocket }): Promise<FakeSocket> {
  for (let second = 0; socket.untaken === 0; second += 1) {
    if (second > 600) throw new Error('nothing was asked within 10 minutes')
    await vi.advanceTimersByTimeAsync(1_000)
  }
  return socket
}

describe('renewing a token', () => {
  it('is done over the open socket before its end, again and again', async () => {
    const given: string[] = []
    const token = () => {
      given.push(freshToken(600, given.length))
      return given.at(-1)!
    }
    const bed = await opened({ token })
    for (let n = 1; n <= 3; n += 1) {
      const { action, data } = (await asked(bed)).answer({ expires_at: 'later' })
      expect({ action, token: data.token }).toEqual({ action: 'refresh_token', token: given[n] })
    }
    expect(bed.sockets).toHaveLength(1)
  })

  it('that the application fails is tried again, and told', async () => {
    let isFailing = false
    const token = () => {
      if (isFailing) throw new Error('logged out')
      return freshToken(600)
    }
    const bed = await opened({ token })
    isFailing = true
    await vi.advanceTimersByTimeAsync(580_000)
    expect(bed.client.status).toMatchObject({
      state: 'open',
      error: { code: 'SB_UNAUTHENTICATED', cause: { message: 'logged out' } },
    })
    isFailing = false
    ;(await asked(bed)).answer()
    expect(bed.client.status).toEqual({ state: 'open', url: bed.socket.url })
  })

  it('that the edge refuses is tried once more, with another', async () => {
    let given = 0
    const bed = await opened({ token: () => freshToken(600, ++given) })
    ;(await asked(bed)).refuse(401, 'SB_UNAUTHENTICATED')
    ;(await asked(bed)).refuse(403, 'SB_FORBIDDEN')
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(bed.socket.untaken).toBe(0)
    expect(given).toBe(3)
  })

  it('is left to the end of the socket by an edge that does not know it', async () => {
    let given = 0
    const bed = await opened({ token: () => freshToken(600, ++given) })
    ;(await asked(bed)).refuse(404, 'SB_UNKNOWN_ACTION')
    expect(bed.client.status).toEqual({ state: 'open', url: bed.socket.url })
    bed.socket.end(4001, 'token expired')
    await bed.reopen()
    expect(given).toBe(3)
  })

  it('ends with the socket it was for', async () => {
    const second = Promise.withResolvers<string>()
    let given = 0
    const token = () => (++given === 2 ? second.promise : freshToken(600, given))
    const bed = await opened({ token })
    while (given < 2) await vi.advanceTimersByTimeAsync(1_000)
    const first = bed.socket
    first.end()
    second.resolve(freshToken(600, 2))
    await bed.reopen()
    expect(first.sent).toEqual([])
    expect(bed.socket.sent).toEqual([])
  })
})

describe('the first token', () => {
  it('that the application cannot give is asked for again, with a backoff', async () => {
    let given = 0
    const token = async () => {
      given += 1
      if (given < 3) throw new Error('offline')
      return 'a-token'
    }
    const bed = await connected({ token })
    expect(bed.client.status).toMatchObject({
      state: 'waiting',
      error: { code: 'SB_UNAUTHENTICATED', retryable: true, cause: { message: 'offline' } },
    })
    await bed.reopen()
    expect({ given, state: bed.client.status.state }).toEqual({ given: 3, state: 'open' })
  })

  it('that never comes is given up after 30 s', async () => {
    const bed = await connected({ token: () => new Promise<string>(() => undefined) })
    await vi.advanceTimersByTimeAsync(30_000)
    expect(bed.client.status).toMatchObject({ state: 'waiting' })
  })
})

describe('when a token is renewed', () => {
  it('is within its life, and well before its end when the clocks agree', () => {
    fc.assert(
      fc.property(fc.integer({ min: 5, max: 90 * 86_400 }), fc.integer(), (life, elapsed) => {
        const now = Math.floor(Date.now() / 1_000)
        const iat = now - (Math.abs(elapsed) % life)
        const delayMs = renewalDelayMs(tokenOf({ iat, exp: iat + life }))!
        expect(delayMs).toBeGreaterThan(0)
        expect(delayMs).toBeLessThanOrEqual(Math.max(life * 1_000, 500))
        const restMs = (iat + life) * 1_000 - Date.now()
        if (restMs > Math.min(60_000, life * 200)) expect(delayMs).toBeLessThan(restMs)
      }),
    )
  })

  it('is not all the time when our clock is ahead by hours', () => {
    const now = Math.floor(Date.now() / 1_000)
    expect(renewalDelayMs(tokenOf({ iat: now - 7_200, exp: now - 3_600 }))).toBe(900_000)
  })

  it('is unknown for tokens of another kind', () => {
    for (const token of ['opaque', 'a.b.c', tokenOf({})]) {
      expect(renewalDelayMs(token)).toBeUndefined()
    }
  })
})

import { type PrivateRedis, startPrivateRedis, waitFor } from '@signalbox/testkit'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openRedisStore, type Store } from '../../src/index.ts'
import { chainNamed } from '../fixtures.ts'

const COMMAND_TIMEOUT_MS = 500
const UNAVAILABLE = { code: 'SB_STORE_UNAVAILABLE', retryable: true }

let server: PrivateRedis
let store: Store
let lines: { level: string; message: string; fields: object }[] = []

const logAt = (level: string) => (fields: object, message: string) => {
  lines.push({ level, message, fields })
}
const log = {
  debug: logAt('debug'),
  info: logAt('info'),
  warn: logAt('warn'),
  error: logAt('error'),
}
const messages = () => lines.map(({ message }) => message)
const open = (url: string) =>
  openRedisStore({ url, namespace: 'outage', log, commandTimeoutMs: COMMAND_TIMEOUT_MS })
const put = (value: number) => store.documents.put('acc', 'c', 'k', value)
const answers = (from: Store = store) =>
  waitFor(async () => (await from.documents.list('acc', 'c')) !== undefined, {
    what: 'the store to answer',
    timeoutMs: 5_000,
  })
const becomes = (state: 'available' | 'unavailable', from: Store = store) =>
  waitFor(() => (from.unavailableReason() === undefined) === (state === 'available'), {
    what: `the store to be ${state}`,
    timeoutMs: 5_000,
  })
async function asAdministrator<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(server.redisUrl)
  try {
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}

beforeAll(async () => {
  server = await startPrivateRedis()
})
afterAll(() => server[Symbol.asyncDispose]())
beforeEach(async () => {
  await server.start()
  lines = []
  store = open(server.redisUrl)
  await answers()
  await becomes('available')
})
afterEach(() => store.close())

describe('when Redis dies', () => {
  it('rejects every call within the command timeout, at once after a while, and keeps what was answered', async () => {
    await put(1)
    await server.kill()
    const startedMs = performance.now()
    await expect(put(2)).rejects.toMatchObject(UNAVAILABLE)
    expect(performance.now() - startedMs).toBeLessThan(2 * COMMAND_TIMEOUT_MS)
    const laterMs = performance.now()
    const calls = Array.from({ length: 100 }, () => store.chains.revision('acc'))
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true)
    expect(performance.now() - laterMs).toBeLessThan(COMMAND_TIMEOUT_MS)
    expect(store.unavailableReason()).toMatch(/Redis/)

    await server.start()
    await answers()
    expect(await store.documents.get('acc', 'c', 'k')).toMatchObject({ value: 1 })
  })

  it('is back within 2 s of its return, and says once that it was lost and once that it is restored', async () => {
    await server.kill()
    await becomes('unavailable')
    await expect(put(1)).rejects.toMatchObject(UNAVAILABLE)
    await server.start()
    const returnedMs = performance.now()
    await becomes('available')
    expect(performance.now() - returnedMs).toBeLessThan(2_000)
    await put(1)
    expect(messages()).toEqual(['store.connected', 'store.lost', 'store.restored'])
    expect(lines.at(-1)?.fields).toMatchObject({ durationMs: expect.any(Number) })
  })

  it('delivers messages again after its return, and tells subscribers that some may have been missed', async () => {
    const channel = { accountKey: 'acc', kind: 'person' as const, personKey: 'p' }
    const heard: string[] = []
    let losses = 0
    await store.channels.subscribe(
      channel,
      ({ id }) => heard.push(id),
      () => {
        losses += 1
      },
    )
    const changed: string[] = []
    await store.chains.onChange((accountKey) => changed.push(accountKey))
    await store.channels.append([{ channel, id: 'before', payload: '' }])
    await waitFor(() => heard.length === 1, { what: 'the message before' })

    await server.kill()
    await becomes('unavailable')
    await server.start()
    await waitFor(() => losses === 1, { what: 'the subscriber to be told of the loss' })
    await answers()
    await store.channels.append([{ channel, id: 'after', payload: '' }])
    await waitFor(() => heard.length === 2, { what: 'the message after' })
    expect(heard).toEqual(['before', 'after'])
    expect(losses).toBe(1)
    await store.chains.put('acc', 'c', chainNamed('c'))
    await waitFor(() => changed.length === 1, { what: 'the change to be told' })
  })

  it('closes at once', async () => {
    await server.kill()
    await becomes('unavailable')
    const startedMs = performance.now()
    await store.close()
    expect(performance.now() - startedMs).toBeLessThan(COMMAND_TIMEOUT_MS)
    await expect(put(1)).rejects.toMatchObject(UNAVAILABLE)
  })
})

describe('when only the pub/sub connection is lost', () => {
  it('says so, subscribes again and tells subscribers', async () => {
    const channel = { accountKey: 'acc', kind: 'person' as const, personKey: 'q' }
    const heard: string[] = []
    let losses = 0
    await store.channels.subscribe(
      channel,
      ({ id }) => heard.push(id),
      () => {
        losses += 1
      },
    )
    await asAdministrator((redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub'))
    await waitFor(() => losses === 1, { what: 'the subscriber to be told of the loss' })
    await store.channels.append([{ channel, id: 'a', payload: '' }])
    await waitFor(() => heard.length === 1, { what: 'the message' })
    expect(messages()).toContain('store.lost')
  })
})

describe('when Redis hangs', () => {
  it('rejects within the command timeout, says so, and works again when it goes on', async () => {
    const info = await asAdministrator((redis) => redis.info('server'))
    const pid = Number(/process_id:(\d+)/.exec(info)?.[1])
    process.kill(pid, 'SIGSTOP')
    try {
      const startedMs = performance.now()
      await expect(put(1)).rejects.toMatchObject(UNAVAILABLE)
      expect(performance.now() - startedMs).toBeLessThan(3 * COMMAND_TIMEOUT_MS)
      await becomes('unavailable')
      const channel = { accountKey: 'acc', kind: 'person' as const, personKey: 'r' }
      await expect(store.channels.subscribe(channel, () => undefined)).rejects.toMatchObject(
        UNAVAILABLE,
      )
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await becomes('available')
    await put(2)
  })
})

describe('when Redis refuses to write', () => {
  beforeEach(() => asAdministrator((redis) => redis.config('RESETSTAT')))
  const refusedProbes = async () => {
    const stats = await asAdministrator((redis) => redis.info('commandstats'))
    return Number(/cmdstat_set:.*rejected_calls=(\d+)/.exec(stats)?.[1] ?? 0)
  }
  const refusals = [
    {
      why: 'its memory is full',
      says: /OOM/,
      begin: (redis: Redis) => redis.config('SET', 'maxmemory', '1'),
      end: (redis: Redis) => redis.config('SET', 'maxmemory', '0'),
    },
    {
      why: 'it became a replica',
      says: /READONLY/,
      begin: (redis: Redis) => redis.replicaof('127.0.0.1', '1'),
      end: (redis: Redis) => redis.replicaof('NO', 'ONE'),
    },
  ]
  it.each(refusals)(
    'because $why, it says so until it writes again, and logs it once',
    async ({ says, begin, end }) => {
      await put(1)
      try {
        await asAdministrator(begin)
        for (const value of [2, 3, 4]) await expect(put(value)).rejects.toMatchObject(UNAVAILABLE)
        await waitFor(async () => (await refusedProbes()) > 5, { what: 'heartbeats that try' })
        expect(store.unavailableReason()).toMatch(says)
        expect(messages()).toEqual(['store.connected', 'store.lost'])
      } finally {
        await asAdministrator(end)
      }
      await becomes('available')
      await put(5)
      expect(await store.documents.get('acc', 'c', 'k')).toMatchObject({ value: 5 })
      expect(messages()).toEqual(['store.connected', 'store.lost', 'store.restored'])
    },
  )
})

describe('when Redis forgets its scripts', () => {
  it('sends them again, and nobody notices', async () => {
    await put(1)
    await asAdministrator((redis) => redis.script('FLUSH'))
    await Promise.all([put(2), store.chains.put('acc', 'c', chainNamed('c'))])
    expect(await store.documents.get('acc', 'c', 'k')).toMatchObject({ value: 2 })
    expect(messages()).toEqual(['store.connected'])
  })
})

describe('when every connection to Redis is cut', () => {
  it('connects again, and says so once', async () => {
    await put(1)
    await asAdministrator((redis) =>
      redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
    )
    await waitFor(() => messages().includes('store.lost'), { what: 'the loss' })
    await becomes('available')
    await put(2)
    expect(messages()).toEqual(['store.connected', 'store.lost', 'store.restored'])
  })
})

describe('when Redis is not there at the start', () => {
  it('rejects, and works as soon as it comes', async () => {
    await server.stop()
    const early = open(server.redisUrl)
    try {
      expect(early.unavailableReason()).toMatch(/Redis/)
      await expect(early.chains.revision('acc')).rejects.toMatchObject(UNAVAILABLE)
      await server.start()
      await becomes('available', early)
      expect(await early.chains.revision('nobody')).toBe(0)
    } finally {
      await early.close()
    }
  })
})

describe('when the password is wrong', () => {
  it('is unavailable with the reason, and shows the password nowhere', async () => {
    const url = new URL(server.redisUrl)
    url.username = 'somebody'
    url.password = 'hunter2-hunter2'
    const locked = open(url.href)
    try {
      const outcome: unknown = await locked.chains.revision('acc').catch((error: unknown) => error)
      expect(outcome).toMatchObject({
        ...UNAVAILABLE,
        message: expect.stringContaining('WRONGPASS'),
      })
      expect(locked.unavailableReason()).toContain('WRONGPASS')
      expect(JSON.stringify([lines, outcome, String(outcome)])).not.toContain('hunter2')
      expect(lines.some(({ message }) => message === 'store.lost')).toBe(true)
    } finally {
      await locked.close()
    }
  })
})

describe('what cannot work', () => {
  it.each(['localhost:6379', 'http://localhost', ''])('is refused as a URL: "%s"', (url) => {
    expect(() => open(url)).toThrow(/redis:\/\//)
  })
})

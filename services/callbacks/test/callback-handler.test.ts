import type { Delivery } from '@signalbox/contracts'
import { createMetrics, silentLog } from '@signalbox/kit'
import {
  createSigner,
  type DeliveryOutcome,
  newSigningSecret,
  verifySignature,
} from '@signalbox/outbound'
import { createMemoryStore } from '@signalbox/store'
import { type HandlerTest, testHandler } from '@signalbox/worker/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { createAdmissions } from '../src/admission.ts'
import { amqpCallbacks } from '../src/amqp-callback.ts'
import { callbackHandler } from '../src/callback-handler.ts'
import { httpCallbacks } from '../src/http-callback.ts'
import { createListenerCache } from '../src/listener-cache.ts'
import { createDisabling } from '../src/listener-disabling.ts'
import { createCallbackMetrics } from '../src/metrics.ts'
import { type ListenerSeed, putListener, sealer, setListenerState } from './fixtures.ts'

const DELIVERED: DeliveryOutcome = { outcome: 'delivered', status: 204, durationMs: 3 }
const URL_OF_IT = 'https://example.com/hook'

interface Sent {
  url?: string | undefined
  headers?: Readonly<Record<string, string>> | undefined
  ownHeaders?: Readonly<Record<string, string>> | undefined
  body: string | Uint8Array
}

let world: Awaited<ReturnType<typeof aWorld>>
beforeEach(async () => {
  world = await aWorld()
})

async function aWorld() {
  const store = createMemoryStore()
  const sent: Sent[] = []
  const records: Delivery[] = []
  const published: unknown[] = []
  const answers: DeliveryOutcome[] = []
  const delivery = {
    deliver: async (callback: Sent) => {
      sent.push(callback)
      return answers.shift() ?? DELIVERED
    },
  }
  const admissions = createAdmissions({ circuit: { failuresToOpen: 2 } })
  const metrics = createCallbackMetrics(createMetrics({ withProcessMetrics: false }), admissions)
  const cache = await createListenerCache({ listeners: store.listeners, sealer })
  const disabling = createDisabling(
    {},
    {
      ...store,
      publishEvent: async (event) => published.push(event),
      forget: cache.forget,
      metrics,
      log: silentLog,
    },
  )
  const deps = {
    listeners: cache,
    admissions,
    signer: createSigner(),
    recorder: { add: ({ delivery: of }: { delivery: Delivery }) => void records.push(of) },
    disabling,
    metrics,
  }
  const http = callbackHandler(httpCallbacks(delivery), deps)
  const amqp = callbackHandler(amqpCallbacks(delivery), deps)
  const post = (config: Record<string, string | object | number> = {}, test: HandlerTest = {}) =>
    testHandler(http, {
      ...test,
      config: {
        listener_id: 'l1',
        url: URL_OF_IT,
        ...(config as NonNullable<HandlerTest['config']>),
      },
    })
  const put = (seed?: ListenerSeed) => putListener(store, 'test', 'l1', seed)
  return { store, put, sent, records, published, answers, admissions, post, amqp }
}

describe('a callback', () => {
  it('carries the event, signed with the secrets of its listener under the same id at each attempt and in each run', async () => {
    const secrets = await world.put({
      secrets: [newSigningSecret(), newSigningSecret('ed25519')],
    })
    const event = { event_id: 'e-1' }
    for (const attempt of [1, 2]) {
      expect(
        await world.post({}, { attempt, idempotencyKey: `i-${attempt}`, event }),
      ).toMatchObject({
        status: 'succeeded',
        output: { status: 204, duration_ms: 3 },
      })
    }
    for (const { body, ownHeaders } of world.sent) {
      expect(JSON.parse(String(body))).toMatchObject({ account_key: 'test', event_data: {} })
      const received = { headers: ownHeaders!, body, secrets: [secrets[0]!] }
      expect(verifySignature(received, { nowMs: Date.now() })).toEqual({ isValid: true })
      expect(ownHeaders!['webhook-signature']).toMatch(/^v1,\S+ v1a,\S+$/)
    }
    await world.post({}, { event: { event_id: 'e-2' } })
    const [once, again, other] = world.sent.map(({ ownHeaders }) => ownHeaders!['webhook-id'])
    expect(again).toBe(once)
    expect(other).not.toBe(once)
    const [first, second] = world.records
    expect([first?.attempt, second?.attempt]).toEqual([1, 2])
    expect(first?.delivery_id).not.toBe(second?.delivery_id)
  })

  it('sends a body of its own, and headers whose secrets no record shows', async () => {
    await world.put({
      callbackSecrets: {
        'headers.authorization': 'Bearer hunter2',
        'secret_headers.x-shop': 'hunter3',
      },
    })
    await world.post({ headers: { 'X-Own': 'a' }, body: { n: 1 } })
    await world.post({ body: 'as it is' })
    expect(world.sent[0]).toMatchObject({
      body: '{"n":1}',
      headers: { 'x-own': 'a', authorization: 'Bearer hunter2', 'x-shop': 'hunter3' },
    })
    expect(world.sent[1]?.body).toBe('as it is')
    expect(world.records[0]).toMatchObject({
      listener_id: 'l1',
      outcome: 'delivered',
      status: 204,
      request: {
        url: URL_OF_IT,
        method: 'POST',
        headers: {
          authorization: '***',
          'x-shop': '***',
          'x-own': 'a',
          'webhook-signature': '***',
        },
      },
    })
    expect(JSON.stringify(world.records)).not.toMatch(/hunter|v1,/)
  })

  it('goes where its listener is told now, whatever the run or a chain of somebody says', async () => {
    await world.put({
      callback: { type: 'http', url: 'https://example.com/moved', method: 'PUT' },
      callbackSecrets: { 'headers.authorization': 'Bearer hunter2' },
    })
    await world.post({ url: 'https://elsewhere.example.net/', method: 'POST' })
    expect(world.sent[0]).toMatchObject({ url: 'https://example.com/moved', method: 'PUT' })
    expect(world.records[0]?.request).toMatchObject({ url: 'https://example.com/moved' })

    const config = { listener_id: 'l1', exchange: 'theirs' }
    expect((await testHandler(world.amqp, { config })).error).toMatchObject({
      code: 'LISTENER_CHANGED',
      retryable: false,
    })
    expect(world.sent).toHaveLength(1)
  })

  it('is no longer signed with a secret whose time is over', async () => {
    const old = { secret: newSigningSecret(), until: new Date(Date.now() - 1).toISOString() }
    await world.put({ oldSecrets: [old] })
    await world.post()
    expect(world.sent[0]?.ownHeaders?.['webhook-signature']).toMatch(/^v1,\S+$/)
  })

  it('over AMQP goes to the exchange, by the routing key of the event', async () => {
    await world.put({ callback: { type: 'amqp', exchange: 'theirs' } })
    const config = { listener_id: 'l1', exchange: 'theirs' }
    expect((await testHandler(world.amqp, { config })).status).toBe('succeeded')
    expect(world.sent[0]).toMatchObject({
      exchange: 'theirs',
      routingKey: 'poll.poll_complete.test',
      type: 'VumiApiEvent',
    })
  })
})

describe('what becomes of an attempt', () => {
  const refused = (status: number, more: object = {}): DeliveryOutcome => ({
    outcome: 'refused',
    code: `HTTP_${status}`,
    message: `example.com answered ${status}`,
    status,
    durationMs: 5,
    retryable: status !== 410,
    isGone: status === 410,
    ...more,
  })

  it.each<[string, DeliveryOutcome, { code: string; [field: string]: unknown }]>([
    ['503', refused(503), { code: 'HTTP_503', retryable: true }],
    ['429', refused(429, { retryAfterMs: 7_000 }), { code: 'HTTP_429', retry_after_ms: 7_000 }],
    [
      'no answer',
      { outcome: 'timed_out', phase: 'response', message: 'late', retryable: true, durationMs: 9 },
      { code: 'TIMED_OUT', retryable: true },
    ],
    [
      'a refused address',
      {
        outcome: 'forbidden',
        code: 'SB_ADDRESS_REFUSED',
        message: 'inside',
        retryable: true,
        durationMs: 1,
      },
      { code: 'SB_ADDRESS_REFUSED', retryable: true },
    ],
  ])('%s fails it, with what is known', async (_name, outcome, error) => {
    await world.put()
    world.answers.push(outcome)
    expect(await world.post()).toMatchObject({ status: 'failed', error })
    expect(world.records).toMatchObject([{ outcome: outcome.outcome, code: error.code }])
  })

  it('410 fails it for good, disables the listener, and tells so once', async () => {
    await world.put()
    world.answers.push(refused(410), refused(410))
    const both = await Promise.all([world.post(), world.post()])
    expect(both.map(({ error }) => error?.retryable)).toEqual([false, false])
    expect((await world.store.listeners.get('test', 'l1'))?.listener.state).toBe('disabled')
    expect((await world.store.chains.get('test', 'listener-l1'))?.enabled).toBe(false)
    expect(world.published).toMatchObject([
      {
        conversation_type: 'signalbox',
        event_type: 'listener_disabled',
        conversation_key: 'l1',
        event_data: { listener_id: 'l1' },
      },
    ])
    expect(await world.post()).toMatchObject({
      status: 'failed',
      error: { code: 'LISTENER_DISABLED', retryable: false },
    })
    expect(world.sent).toHaveLength(2)
  })

  it('without a listener it fails for good, and nothing is sent', async () => {
    const { error } = await world.post()
    expect(error).toMatchObject({ code: 'UNKNOWN_LISTENER', retryable: false })
    expect(world.sent).toEqual([])
  })

  it('of a paused listener is put off, ever longer, until it is resumed', async () => {
    await world.put()
    await setListenerState(world.store, 'test', 'l1', 'paused')
    const waits: number[] = []
    for (const deferrals of [0, 3, 100]) {
      const { status, retryAfterMs } = await world.post({}, { deferrals })
      expect(status).toBe('deferred')
      waits.push(retryAfterMs!)
    }
    expect(waits.toSorted((a, b) => a - b)).toEqual(waits)
    expect(waits.at(-1)).toBeLessThanOrEqual(600_000)
    await setListenerState(world.store, 'test', 'l1', 'active')
    expect((await world.post()).status).toBe('succeeded')
  })

  it('at an endpoint whose circuit is open is put off without being sent', async () => {
    await world.put()
    world.answers.push(refused(500), refused(500))
    await world.post()
    await world.post()
    expect((await world.post()).status).toBe('deferred')
    expect(world.sent).toHaveLength(2)
    expect(world.records).toHaveLength(2)
  })

  it('that cannot be signed leaves its place to others', async () => {
    await world.put({ secrets: [] })
    expect((await world.post()).error).toMatchObject({ retryable: false })
    expect(world.admissions.inFlight).toBe(0)
  })
})

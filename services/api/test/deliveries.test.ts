import {
  completeEvent,
  type Delivery,
  type HandlerInvocation,
  invocationIdOf,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { waitFor } from '@signalbox/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AT, aDelivery } from './delivery-fixture.ts'
import { type Fixture, startFixture } from './fixture.ts'

const ACCOUNT = '/v1/accounts/acme'
const LISTENER = {
  listener_id: 'shop',
  name: 'Shop',
  event_types: ['poll_complete'],
  callback: {
    type: 'http',
    url: 'https://hooks.example.org/',
    headers: { 'x-id': '${{ event.event_id }}' },
  },
}
const failed = { outcome: 'refused', status: 500 } as const

let api: Fixture
let invocations: HandlerInvocation[]
beforeEach(async () => {
  api = await startFixture()
  invocations = []
  const queue = api.broker.topology.handlerQueue('http_callback')
  await api.broker.declare(queue)
  await api.broker.consume(queue.name, {}, async ({ body }) => {
    invocations.push(...(JSON.parse(body.toString()) as HandlerInvocation[]))
    return { kind: 'ack' }
  })
  expect((await post('/listeners', LISTENER)).statusCode).toBe(201)
})
afterEach(() => api[Symbol.asyncDispose]())

const get = (path: string) => api.call({ method: 'GET', url: `${ACCOUNT}${path}` })
const post = (path: string, payload: object = {}) =>
  api.call({ method: 'POST', url: `${ACCOUNT}${path}`, payload })
const record = (...deliveries: Parameters<typeof aDelivery>[]) =>
  api.store.deliveries.record(
    'acme',
    deliveries.map((args) => aDelivery(...args)),
  )

/** As the dispatcher records it. */
async function happened(id: string, overrides: Partial<VumiApiEvent> = {}): Promise<VumiApiEvent> {
  const event = completeEvent({
    event_id: id,
    account_key: 'acme',
    conversation_key: 'spring',
    conversation_type: 'poll',
    event_type: 'poll_complete',
    event_data: {},
    ...overrides,
  })
  const at = new Date().toISOString()
  await api.store.biographies.record([
    { accountKey: 'acme', eventId: id, facts: [{ fact: 'received', at, event }] },
  ])
  return event
}

const arrived = async (count: number) => {
  await waitFor(() => invocations.length >= count, { what: `${count} invocations` })
  return invocations.map(({ context }) => context.event.event_id)
}

describe('deliveries', () => {
  it('are listed by listener, newest first, with what is asked for', async () => {
    await record(
      ['shop', 'a'],
      ['shop', 'b', failed],
      ['shop', 'c', { ...failed, event_id: 'e-2', at: '2026-03-05T00:00:00.000Z' }],
    )
    const ids = async (query: string) => {
      const answer = await get(`/listeners/shop/deliveries${query}`)
      const { items } = answer.json<{ items: { delivery_id: string }[] }>()
      return items.map(({ delivery_id }) => delivery_id)
    }
    expect(await ids('')).toEqual(['c', 'b', 'a'])
    expect(await ids('?outcome=failed')).toEqual(['c', 'b'])
    expect(await ids('?outcome=delivered')).toEqual(['a'])
    expect(await ids('?event_id=e-2')).toEqual(['c'])
    expect(await ids(`?since=${AT}&until=2026-03-05T00:00:00Z`)).toEqual(['b', 'a'])
    expect((await get('/listeners/shop/deliveries')).json()).toMatchObject({ forgotten: 0 })
    expect((await get('/listeners/none/deliveries')).statusCode).toBe(404)
    expect((await get('/listeners/shop/deliveries?outcome=lost')).statusCode).toBe(400)
  })

  it('are listed by event', async () => {
    await record(['shop', 'a', failed], ['office', 'b'], ['shop', 'c', { event_id: 'e-2' }])
    expect((await get('/events/e-1/deliveries')).json()).toMatchObject({
      items: [{ delivery_id: 'a' }, { delivery_id: 'b' }],
    })
  })
})

describe('a delivery that failed', () => {
  it('says when it is tried again, as the biography has it, and nothing after the last attempt', async () => {
    await happened('e-1')
    const run = { chain_id: 'listener-shop', name: 'Shop', version: 1, run_id: 'r' }
    const step = { run_id: 'r', step_id: 'deliver', handler: 'http_callback' } as const
    const retry_at = '2026-03-04T05:07:00.000Z'
    const attempt = { fact: 'step', at: AT, status: 'failed', duration_ms: 1, ...step } as const
    await api.store.biographies.record([
      {
        accountKey: 'acme',
        eventId: 'e-1',
        facts: [
          { fact: 'matched', at: AT, matched: [run], not_matched: [], by_default: false },
          { ...attempt, attempt: 1, retry_at },
          { ...attempt, attempt: 2 },
        ],
      },
    ])
    const invocation_id = invocationIdOf('r', 'deliver')
    await record(
      ['shop', 'a', { ...failed, invocation_id }],
      ['shop', 'b', { ...failed, invocation_id, attempt: 2 }],
      ['shop', 'c', { ...failed, event_id: 'forgotten' }],
    )
    for (const path of ['/listeners/shop/deliveries', '/events/e-1/deliveries']) {
      const { items } = (await get(path)).json<{ items: Delivery[] }>()
      const times = items.map(({ delivery_id, next_retry_at }) => [delivery_id, next_retry_at])
      expect(Object.fromEntries(times)).toMatchObject({ a: retry_at, b: undefined })
    }
  })
})

describe('a test', () => {
  it('sends an event to the listener alone, and its biography is there', async () => {
    const answer = await post('/listeners/shop/test')
    expect(answer.statusCode, answer.body).toBe(202)
    const { event_id, run_id } = answer.json<{ event_id: string; run_id: string }>()
    expect(await arrived(1)).toEqual([event_id])
    expect(invocations[0]).toMatchObject({
      handler: 'http_callback',
      attempt: 1,
      config: { listener_id: 'shop', headers: { 'x-id': event_id } },
      context: {
        run_id,
        chain: { chain_id: 'listener-shop' },
        event: {
          conversation_type: 'signalbox',
          event_type: 'listener_test',
          conversation_key: 'shop',
        },
      },
    })
    expect(api.published).toEqual([])
    expect((await get(`/events/${event_id}`)).json()).toMatchObject({
      outcome: 'pending',
      runs: [{ run_id, resent: { listener_id: 'shop', reason: 'test' } }],
    })
  })

  it('may be any event, and says at once what would fail', async () => {
    const event = { event_type: 'poll_complete', event_data: { a: 1 }, person_key: 'p' }
    expect((await post('/listeners/shop/test', event)).statusCode).toBe(202)
    await arrived(1)
    expect(invocations[0]?.context.event).toMatchObject(event)
    const strict = {
      ...LISTENER,
      listener_id: 'strict',
      callback: { ...LISTENER.callback, body: '${{ event.event_data.name }}' },
    }
    await post('/listeners', strict)
    const answer = await post('/listeners/strict/test')
    expect(answer.json()).toMatchObject({ status: 409, detail: expect.stringContaining('name') })
  })

  it('waits for nobody: a listener that is paused, and one that no worker delivers for, are told apart', async () => {
    await post('/listeners/shop/pause')
    const paused = await post('/listeners/shop/test')
    expect(paused.json()).toMatchObject({ status: 409, detail: expect.stringContaining('paused') })
    const amqp = { listener_id: 'amqp', callback: { type: 'amqp', exchange: 'shop' } }
    await post('/listeners', amqp)
    const nobody = await post('/listeners/amqp/test')
    expect(nobody.json()).toMatchObject({ code: 'SB_UNKNOWN_HANDLER' })
    expect((await post('/listeners/none/test')).statusCode).toBe(404)
  })
})

describe('a retry', () => {
  it('delivers the event of a delivery again, once for each delivery', async () => {
    await happened('e-1')
    await record(['shop', 'a', failed], ['shop', 'b', failed])
    const [first, again, other] = [
      await post('/listeners/shop/deliveries/a/retry'),
      await post('/listeners/shop/deliveries/a/retry'),
      await post('/listeners/shop/deliveries/b/retry'),
    ]
    expect(first.statusCode, first.body).toBe(202)
    expect(again.json()).toEqual(first.json())
    expect(other.json()).not.toEqual(first.json())
    await arrived(3)
    const [one, two, three] = invocations
    expect(two?.invocation_id).toBe(one?.invocation_id)
    expect(two?.repeat).toBe(true)
    expect(three?.invocation_id).not.toBe(one?.invocation_id)
    expect((await get('/events/e-1')).json()).toMatchObject({
      runs: [{ resent: { reason: 'retry' } }, { resent: { reason: 'retry' } }],
    })
  })

  it('is answered 404 when the delivery, or its event, is no longer kept', async () => {
    expect((await post('/listeners/shop/deliveries/a/retry')).statusCode).toBe(404)
    await record(['shop', 'a', failed])
    const answer = await post('/listeners/shop/deliveries/a/retry')
    expect(answer.json()).toMatchObject({ status: 404, detail: expect.stringContaining('e-1') })
  })
})

describe('a replay', () => {
  const range = { since: AT, until: '2026-03-05T00:00:00Z' }

  it('delivers what failed in a range of time and was not delivered since, the oldest first, each event once', async () => {
    for (const id of ['e-1', 'e-2', 'e-3', 'e-5']) await happened(id)
    await record(
      ['shop', 'a', { ...failed, event_id: 'e-1' }],
      ['shop', 'b', { ...failed, event_id: 'e-2' }],
      ['shop', 'c', { ...failed, event_id: 'e-1', attempt: 2 }],
      ['shop', 'd', { event_id: 'e-2', attempt: 2 }],
      ['shop', 'e', { event_id: 'e-3' }],
      ['shop', 'f', { ...failed, event_id: 'e-4' }],
      ['office', 'g', { event_id: 'e-1' }],
      ['shop', 'h', { ...failed, event_id: 'e-5', at: range.until }],
    )
    const answer = await post('/listeners/shop/replay', { ...range, request_id: 'x' })
    expect(answer.statusCode, answer.body).toBe(202)
    expect(answer.json()).toEqual({
      request_id: 'x',
      sent: 1,
      skipped: 1,
      gone: 1,
      failed: 0,
      errors: [],
    })
    expect(await arrived(1)).toEqual(['e-1'])

    const all = await post('/listeners/shop/replay', { ...range, outcome: 'any' })
    expect(all.json()).toMatchObject({ sent: 3, gone: 1, request_id: expect.any(String) })
    expect((await arrived(4)).slice(1)).toEqual(['e-1', 'e-2', 'e-3'])
  })

  it('goes on where it ended, and does nothing twice under one request', async () => {
    for (const id of ['e-1', 'e-2', 'e-3']) {
      await happened(id)
      await record(['shop', `d-${id}`, { ...failed, event_id: id }])
    }
    const send = (overrides: object) =>
      post('/listeners/shop/replay', { ...range, request_id: 'x', limit: 2, ...overrides })
    const { sent, next } = (await send({})).json<{ sent: number; next: string }>()
    expect(sent).toBe(2)
    expect((await send({ cursor: next })).json()).not.toHaveProperty('next')
    expect(await arrived(3)).toEqual(['e-2', 'e-3', 'e-1'])
    await send({})
    await arrived(5)
    expect(new Set(invocations.map(({ invocation_id }) => invocation_id)).size).toBe(3)
  })
})

describe('a republish', () => {
  it('sends what is for the listener of a conversation since an event, in order, in parts', async () => {
    await happened('e-1')
    await happened('e-2')
    await happened('other', { event_type: 'poll_begun' })
    await happened('elsewhere', { conversation_key: 'autumn' })
    await happened('e-3')
    await happened('e-4')
    const send = (payload: object) =>
      post('/listeners/shop/republish', { conversation_key: 'spring', request_id: 'x', ...payload })
    const first = await send({ after_event_id: 'e-1', limit: 3 })
    expect(first.json()).toMatchObject({ sent: 2, skipped: 1, gone: 0, next: 'e-3' })
    const rest = await send({ after_event_id: 'e-3', limit: 3 })
    expect(rest.json()).toEqual({
      request_id: 'x',
      sent: 1,
      skipped: 0,
      gone: 0,
      failed: 0,
      errors: [],
    })
    expect(await arrived(3)).toEqual(['e-2', 'e-3', 'e-4'])
    expect((await get('/events/e-2')).json()).toMatchObject({
      runs: [{ chain_id: 'listener-shop', resent: { reason: 'republish' } }],
    })
  })

  it('sends all since a time', async () => {
    await happened('e-1')
    const since = new Date(Date.now() - 60_000).toISOString()
    const later = new Date(Date.now() + 60_000).toISOString()
    const send = (payload: object) =>
      post('/listeners/shop/republish', { conversation_key: 'spring', ...payload })
    expect((await send({ since })).json()).toMatchObject({ sent: 1 })
    expect((await send({ since: later })).json()).toMatchObject({ sent: 0 })
  })

  it('is refused without a beginning, with two, and when the event is not there', async () => {
    const send = (payload: object) =>
      post('/listeners/shop/republish', { conversation_key: 'spring', ...payload })
    expect((await send({})).statusCode).toBe(400)
    expect((await send({ since: AT, after_event_id: 'e-1' })).statusCode).toBe(400)
    expect((await send({ after_event_id: 'e-1' })).json()).toMatchObject({
      status: 404,
      detail: expect.stringContaining('since'),
    })
  })

  it('tells which events could not be sent', async () => {
    const strict = {
      ...LISTENER,
      listener_id: 'strict',
      callback: { ...LISTENER.callback, body: '${{ event.event_data.name }}' },
    }
    await post('/listeners', strict)
    await happened('e-1')
    await happened('e-2', { event_data: { name: 'Ann' } })
    const answer = await post('/listeners/strict/republish', {
      conversation_key: 'spring',
      since: AT,
    })
    expect(answer.json()).toMatchObject({
      sent: 1,
      failed: 1,
      errors: [{ event_id: 'e-1', code: 'SB_CONFLICT' }],
    })
  })
})

import { uuidv7, type VumiApiEvent } from '@signalbox/contracts'
import { createMetrics, silentLog } from '@signalbox/kit'
import { type Channel, createMemoryStore } from '@signalbox/store'
import { waitFor } from '@signalbox/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Audience } from '../src/audience.ts'
import { createChannelRegistry } from '../src/channel-registry.ts'
import { createConnection } from '../src/connection.ts'
import type { Frame } from '../src/frame.ts'
import { decodeMessage } from '../src/live-message.ts'
import { createEdgeMetrics } from '../src/metrics.ts'
import { filterOf, matches } from '../src/selector.ts'
import { currentState, encodePayload } from '../src/state-change.ts'
import { NO_LIMIT, noToken, UNTOLD } from './connection-parts.ts'
import { okFrame } from './edge-bed.ts'
import { textOf } from './frame-text.ts'

const ACCOUNTS = ['demo', 'other'] as const
const PERSONS = ['p1', 'p2'] as const
const accountChannel = (accountKey: string): Channel => ({ accountKey, kind: 'account' })

function eventOf(fields: Partial<VumiApiEvent> = {}): VumiApiEvent {
  return {
    event_id: uuidv7(),
    account_key: 'demo',
    conversation_key: 'c1',
    conversation_type: 'poll',
    event_type: 'said',
    event_data: { score: 1 },
    timestamp: '2026-01-31T09:30:00.000Z',
    ...fields,
  }
}

function startEdge() {
  const store = createMemoryStore()
  const metrics = createEdgeMetrics(createMetrics({ withProcessMetrics: false }), new Set())
  const registry = createChannelRegistry({ channels: store.channels, log: silentLog, metrics })
  return {
    metrics,
    append: (event: VumiApiEvent, accountKey: string = event.account_key) =>
      store.channels.append([
        { channel: accountChannel(accountKey), id: event.event_id, payload: JSON.stringify(event) },
      ]),
    store,
    connect(claims: { account_key?: string; sub?: string; scope?: 'account' }) {
      const sent: string[] = []
      const socket = {
        write(frame: Frame) {
          sent.push(textOf(frame))
          return true
        },
        isCongested: false,
        drained: async () => undefined,
        close: () => undefined,
        pause: () => undefined,
        resume: () => undefined,
      }
      const connection = createConnection(
        { claims: { account_key: 'demo', exp: 0, ...claims }, socket, writer: socket },
        {
          maxSubscriptions: 50,
          frames: NO_LIMIT,
          channels: registry,
          showings: UNTOLD,
          claimsOf: noToken,
          log: silentLog,
          metrics,
        },
      )
      let answered = 0
      return {
        sent,
        frames: () => sent.filter((text) => text.startsWith('{"event"')),
        connection,
        /** Sends all at once, and takes the answers. */
        async ask(...requests: object[]): Promise<string[]> {
          for (const request of requests) connection.receive(JSON.stringify(request))
          const isAnswer = (text: string) => text.startsWith('{"request_id"')
          await waitFor(() => sent.filter(isAnswer).length === answered + requests.length, {
            what: `${requests.length} answers`,
            intervalMs: 0,
          })
          const answers = sent.filter(isAnswer).slice(answered)
          answered += requests.length
          return answers
        },
      }
    },
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))
const subscribe = (request_id: number, data: object) => ({ action: 'subscribe', request_id, data })
const unsubscribe = (request_id: number, data: object) => ({
  action: 'unsubscribe',
  request_id,
  data,
})

describe('a subscription to events', () => {
  it('gets what fits its selector, whole, and a cursor only when it asked for one', async () => {
    const edge = startEdge()
    const client = edge.connect({ scope: 'account' })
    await client.ask(
      subscribe(1, { conversation_key: 'c1', when: 'event.event_data.score > 5' }),
      subscribe(2, { event_type: 'heard', resume: true }),
    )
    const low = eventOf()
    const high = eventOf({ event_data: { score: 9 } })
    const heard = eventOf({ event_type: 'heard', conversation_key: 'c2' })
    for (const event of [low, high, heard]) await edge.append(event)
    await turn()
    const [first, second, ...rest] = client.frames()
    expect(first).toBe(`{"event":"event","request_id":1,"data":${JSON.stringify(high)}}`)
    expect(second).toMatch(/^\{"event":"event","request_id":2,"data":\{.*\},"cursor":"[^"]+"\}$/)
    expect(rest).toEqual([])
  })

  it('is listed as it was made, but for where it began, and no more after it has ended', async () => {
    const edge = startEdge()
    const client = edge.connect({ scope: 'account' })
    const all = { all: true, when: 'has(event.person_key)' }
    const state = { person_key: 'p1', entity: 'flow', snapshot: true }
    await client.ask(
      subscribe(1, { ...all, resume: true }),
      { action: 'subscribe_state_change', request_id: 'two', data: state },
      subscribe(3, { event_type: 'said' }),
      unsubscribe(4, { event_type: 'said' }),
    )
    expect(await client.ask({ action: 'list', request_id: 5 })).toEqual([
      `{"request_id":5,"errors":[],"status":200,"subscriptions":${JSON.stringify([
        { action: 'subscribe', request_id: 1, data: { ...all, resume: true } },
        { action: 'subscribe_state_change', request_id: 'two', data: state },
      ])}}`,
    ])
  })

  it.each([
    ['nothing to go by', { when: 'true' }, 400, 'SB_INVALID_INPUT', 'data'],
    ['what is no cursor', { all: true, since: 'yesterday' }, 400, 'SB_INVALID_INPUT', 'data.since'],
    [
      'a condition that does not parse',
      { all: true, when: 'event.' },
      400,
      'SB_INVALID_EXPRESSION',
      'data.when',
    ],
    [
      'a condition over what is not there',
      { all: true, when: 'results.a == 1' },
      400,
      'SB_INVALID_EXPRESSION',
      'data.when',
    ],
  ])('is refused for %s', async (_what, data, status, code, path) => {
    const client = startEdge().connect({ scope: 'account' })
    const [answer = ''] = await client.ask(subscribe(1, data))
    expect(JSON.parse(answer)).toMatchObject({ status, errors: [{ code, path }] })
  })

  it('takes a condition that cannot be answered for no, and counts it', async () => {
    const edge = startEdge()
    const client = edge.connect({ scope: 'account' })
    await client.ask(subscribe(1, { all: true, when: 'event.event_data.score > 5' }))
    await edge.append(eventOf({ event_data: {} }))
    await edge.append(eventOf({ event_data: { score: 6 } }))
    await turn()
    expect(client.frames()).toHaveLength(1)
    expect((await edge.metrics.filterFaults.get()).values[0]?.value).toBe(1)
  })

  it('ends as a model of sets says, whatever is subscribed and unsubscribed at once', async () => {
    const selector = fc.constantFrom<object>(
      { event_type: 'said' },
      { conversation_key: 'c1' },
      { person_key: 'p1', event_type: 'said' },
      { event_type: 'said', when: 'event.event_data.score > 0' },
      { all: true },
    )
    const operation = fc.record({ isSubscribe: fc.boolean(), selector, resume: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 25 }), async (operations) => {
        const edge = startEdge()
        const client = edge.connect({ scope: 'account' })
        const model = new Map<string, number>()
        const requests = operations.map(({ isSubscribe, selector: data, resume }, id) => {
          const key = JSON.stringify(data)
          if (!isSubscribe) model.delete(key)
          else if (!model.has(key)) model.set(key, id)
          return isSubscribe
            ? subscribe(id, { ...data, ...(resume ? { resume } : {}) })
            : unsubscribe(id, data)
        })
        const answers = await client.ask(...requests)
        for (const [id, answer] of answers.entries()) {
          expect(answer.startsWith(okFrame(id).slice(0, -1))).toBe(true)
        }
        await edge.append(eventOf({ person_key: 'p1' }))
        await turn()
        const ids = client
          .frames()
          .map((text) => (JSON.parse(text) as { request_id: number }).request_id)
        expect(ids.sort((a, b) => a - b)).toEqual([...model.values()].sort((a, b) => a - b))
        expect(client.connection.subscriptionCount).toBe(model.size)
      }),
      { numRuns: 50 },
    )
  })
})

describe('the audience of a channel', () => {
  const name = fc.constantFrom('a', 'b')
  const filterArbitrary = fc
    .record(
      {
        conversation_key: name,
        conversation_type: name,
        event_type: name,
        person_key: name,
        when: fc.constantFrom('event.event_data.score > 0', 'event.missing', 'false'),
      },
      { requiredKeys: [] },
    )
    .map((fields) => filterOf({ kind: 'event', ...fields }, { scope: 'account' }))
  const eventArbitrary = fc
    .record({
      conversation_key: name,
      conversation_type: name,
      event_type: name,
      person_key: fc.option(name, { nil: undefined }),
    })
    .map((fields) => eventOf(fields as Partial<VumiApiEvent>))

  it('finds by its index whom asking everybody would find', () => {
    fc.assert(
      fc.property(
        fc.array(filterArbitrary, { maxLength: 20 }),
        eventArbitrary,
        (filters, event) => {
          const payload = JSON.stringify(event)
          const message = decodeMessage(accountChannel('demo'), {
            epoch: 'e',
            offset: 1,
            id: 'm',
            payload,
          })
          if (!message) throw new Error('not decoded')
          const found: number[] = []
          const audience = new Audience(() => undefined)
          for (const [index, filter] of filters.entries()) {
            audience.add({ filter, onMessage: () => found.push(index) })
          }
          audience.deliver(message)
          const expected = filters.flatMap((filter, index) =>
            matches(filter, message, () => undefined) ? [index] : [],
          )
          expect(found.sort((a, b) => a - b)).toEqual(expected)
        },
      ),
    )
  })
})

describe('who may see what', () => {
  const claims = fc.oneof(
    fc.record({ account_key: fc.constantFrom(...ACCOUNTS), sub: fc.constantFrom(...PERSONS) }),
    fc.record({
      account_key: fc.constantFrom(...ACCOUNTS),
      scope: fc.constant('account' as const),
    }),
  )
  const key = fc.constantFrom(
    'p1',
    'p2',
    'c1',
    'said',
    'demo',
    '*',
    'account',
    'person:p2',
    '',
    ' ',
  )
  const selector = fc.oneof(
    fc.record(
      {
        conversation_key: fc.constant('c1'),
        event_type: fc.constant('said'),
        person_key: fc.constantFrom(...PERSONS),
        all: fc.constant(true),
        when: fc.constantFrom('true', '!has(event.person_key) || true'),
        resume: fc.boolean(),
        entity: fc.constant('flow'),
        snapshot: fc.boolean(),
      },
      { requiredKeys: ['entity'] },
    ),
    fc.record(
      {
        conversation_key: key,
        conversation_type: fc.constantFrom('poll', '*'),
        event_type: fc.constantFrom('said', '*', 'flow_state_change'),
        person_key: key,
        all: fc.constantFrom<unknown>(true, false, 'true', 1),
        when: fc.constantFrom('true', 'has(event.person_key) || true', '!has(event.person_key)'),
        account_key: fc.constantFrom(...ACCOUNTS),
        sub: key,
        scope: fc.constant('account'),
        resume: fc.boolean(),
        since: fc.constantFrom('e.0.0', 'x', ''),
        entity: fc.constantFrom('flow', 'step'),
        snapshot: fc.boolean(),
        __proto__: fc.constant(null),
      },
      { requiredKeys: [] },
    ),
    fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 }),
  )
  const action = fc.constantFrom('subscribe', 'subscribe_state_change', 'unsubscribe')

  it('nobody sees more than their token says, whatever they send', async () => {
    let framesSeen = 0
    await fc.assert(
      fc.asyncProperty(
        claims,
        fc.array(fc.record({ action, data: selector }), { minLength: 1, maxLength: 8 }),
        async (token, requests) => {
          const edge = startEdge()
          const everything = async () => {
            for (const account_key of ACCOUNTS) {
              for (const person_key of [...PERSONS, undefined]) {
                const event = eventOf({ account_key, ...(person_key ? { person_key } : {}) })
                await edge.append(event)
                if (person_key === undefined) continue
                const change = {
                  id: `${account_key}/${person_key}`,
                  identifier: 'i',
                  state: 'active',
                  previous_state: null,
                }
                await edge.store.channels.append([
                  {
                    channel: { accountKey: account_key, kind: 'person', personKey: person_key },
                    id: event.event_id,
                    payload: encodePayload('flow', change, event.timestamp),
                    state: currentState('flow', change),
                  },
                ])
              }
            }
            // n.b. what got into the wrong channel is nobody's there.
            await edge.append(eventOf({ account_key: 'other' }), 'demo')
          }
          await everything()
          const client = edge.connect(token)
          await client.ask(...requests.map((request, request_id) => ({ ...request, request_id })))
          await everything()
          await turn()
          const person = 'sub' in token ? token.sub : undefined
          for (const text of client.sent) {
            const { data, snapshot = [] } = JSON.parse(text) as {
              data?: { account_key?: string; person_key?: string; id?: string }
              snapshot?: { id: string }[]
            }
            const ids = [...(data?.id ? [data.id] : []), ...snapshot.map(({ id }) => id)]
            framesSeen += ids.length + (data ? 1 : 0)
            for (const id of ids) {
              const [account, who] = id.split('/')
              expect(account).toBe(token.account_key)
              if (person !== undefined) expect(who).toBe(person)
            }
            if (data?.account_key !== undefined) expect(data.account_key).toBe(token.account_key)
            if (data?.account_key !== undefined && person !== undefined) {
              expect(data.person_key).toBe(person)
            }
          }
        },
      ),
      { numRuns: 300 },
    )
    expect(framesSeen).toBeGreaterThan(100)
  })
})

import { describe, expect, it, test } from 'vitest'
import { z } from 'zod'
import {
  chainOfListener,
  chainSchema,
  eventTypesOf,
  LIMITS,
  type Listener,
  listenerChainIdOf,
  listenerDocumentSchema,
  listenerIdOfChain,
  listenerInputSchema,
  listenerSchema,
  MISTRAL_EVENT_GROUPS,
  MISTRAL_EVENT_TYPES,
  MISTRAL_ON_EVENTS,
  shownHeaders,
  splitCallback,
} from '../src/index.ts'

const HTTP = { type: 'http', url: 'https://example.org/hook' }
const AT = '2026-01-31T09:30:00.000Z'

function aListener(overrides: Partial<Listener> = {}): Listener {
  return {
    listener_id: 'shop',
    name: 'Shop',
    callback: { type: 'http', url: HTTP.url },
    state: 'active',
    created_at: AT,
    updated_at: AT,
    version: 1,
    ...overrides,
  }
}

describe('a listener is read', () => {
  it('without a name: it is called by its callback', () => {
    expect(listenerInputSchema.parse({ callback: HTTP }).name).toBe(
      'HTTP to https://example.org/hook',
    )
    expect(listenerInputSchema.parse({ callback: { type: 'amqp', exchange: 'shop' } }).name).toBe(
      'AMQP to shop',
    )
  })

  it("as Mistral writes it, at the top, as a callback, and as a callback with the listener's fields beside it", () => {
    const mistral = {
      type: 'webhook',
      url: HTTP.url,
      headers: { 'X-Team': 'a' },
      event_types: ['WORKFLOW_FAILED'],
    }
    const top = listenerInputSchema.parse(mistral)
    expect(top).toMatchObject({ event_types: ['WORKFLOW_FAILED'], callback: { type: 'webhook' } })
    expect(listenerInputSchema.parse({ callback: mistral })).toEqual(top)
    expect(listenerInputSchema.parse({ ...mistral, name: 'n', when: 'true' })).toMatchObject({
      name: 'n',
      when: 'true',
    })
    expect(splitCallback(top.callback).callback).toEqual({
      type: 'http',
      url: HTTP.url,
      headers: { 'X-Team': 'a' },
    })
  })

  it('as it was answered: what the answer added is ignored', () => {
    const answered = { ...aListener({ state: 'disabled', disabled_reason: 'gone' }), signing: [] }
    const { listener_id, name, callback } = aListener()
    expect(listenerInputSchema.parse(answered)).toEqual({ listener_id, name, callback })
  })

  test.each([
    ['for a field nobody knows', { calback: HTTP }],
    ['without a callback', { callback: undefined }],
    ['for a callback of an unknown type', { callback: { type: 'fax', url: 'x' } }],
    ['for a field nobody knows in its callback', { callback: { ...HTTP, metod: 'PUT' } }],
    ['for a method that may not be used', { callback: { ...HTTP, method: 'GET' } }],
    ['for a name of Mistral that does not exist', { events: ['on-task-lost'] }],
    ['for a workbook and a conversation', { workbook_name: 'w', conversation_key: 'c' }],
    ['for a password without a user', { callback: { type: 'amqp', exchange: 'e', password: 'p' } }],
    [
      'for credentials of our own broker',
      { callback: { type: 'amqp', exchange: 'e', username: 'u', password: 'p' } },
    ],
    ['for more event types than a trigger may have', { event_types: [...many(44), 'TASK'] }],
    ['for an identity that makes no chain', { listener_id: 'x'.repeat(56) }],
  ])('but refused %s', (_why, overrides) => {
    expect(listenerInputSchema.safeParse({ callback: HTTP, ...overrides }).success).toBe(false)
  })

  it('and has a JSON Schema', () => {
    const { $defs } = z.toJSONSchema(listenerDocumentSchema, { io: 'input' })
    expect($defs?.WrittenListener).toMatchObject({ required: ['callback'] })
  })
})

describe('the event types of a listener', () => {
  it.each<[string, Pick<Listener, 'event_types' | 'events'>, '*' | string[]]>([
    ['every one, when it names none', {}, '*'],
    ['every one, when it says so', { event_types: ['a', '*'] }, '*'],
    ['those it names, each once', { event_types: ['b', 'a', 'b'] }, ['b', 'a']],
    [
      'those of its groups',
      { event_types: ['EXECUTION', 'TASK', 'WORKFLOW_FAILED'] },
      [...MISTRAL_EVENT_TYPES],
    ],
    [
      'those of its on-… names, besides',
      { event_types: ['a'], events: ['on-task-error', 'on-task-complete'] },
      ['a', 'TASK_FAILED', 'TASK_SUCCEEDED', 'TASK_CANCELLED', 'TASK_SKIPPED'],
    ],
  ])('are %s', (_what, listener, expected) => {
    expect(eventTypesOf(listener)).toEqual(expected)
  })

  it('have an on-… name that stands for nothing else, for each of those of Mistral', () => {
    const single = Object.values(MISTRAL_ON_EVENTS).filter(({ length }) => length === 1)
    expect(single.flat().toSorted()).toEqual([...MISTRAL_EVENT_TYPES].toSorted())
    const { EXECUTION, TASK } = MISTRAL_EVENT_GROUPS
    for (const [name, types] of Object.entries(MISTRAL_ON_EVENTS)) {
      const group: readonly string[] = name.startsWith('on-task-') ? TASK : EXECUTION
      expect(group).toEqual(expect.arrayContaining([...types]))
    }
  })
})

describe('the chain of a listener', () => {
  it('is one step, which delivers, with eleven attempts by default', () => {
    const chain = chainOfListener(aListener({ event_types: ['poll_complete'], when: 'true' }))
    expect(chain).toEqual({
      name: 'Listener: Shop',
      enabled: true,
      trigger: { conversation_type: '*', event_type: 'poll_complete', when: 'true' },
      steps: [
        {
          id: 'deliver',
          handler: 'http_callback',
          config: { listener_id: 'shop', url: HTTP.url, method: 'POST' },
          retry: { max_attempts: 11, schedule: 'webhook' },
          on_error: 'stop',
        },
      ],
    })
    expect(chainSchema.parse(chain)).toEqual(chain)
  })

  it.each(['paused', 'disabled'] as const)('is not enabled while the listener is %s', (state) => {
    expect(chainOfListener(aListener({ state })).enabled).toBe(false)
  })

  it('takes the workflows of a workbook, and those that are called like it', () => {
    const { trigger } = chainOfListener(aListener({ workbook_name: 'a"b', when: 'x || y' }))
    const workflow = 'event.event_data.workflow_name'
    expect(trigger).toMatchObject({
      event_type: '*',
      when: `has(${workflow}) && (${workflow} == "a\\"b" || ${workflow}.startsWith("a\\"b.")) && (x || y)`,
    })
  })

  it('holds no secret, whatever the callback', () => {
    const http = splitCallback(
      listenerInputSchema.parse({
        callback: {
          ...HTTP,
          headers: { Authorization: 'SECRET', 'X-Plain': '${{ event.event_id }}' },
          secret_headers: { 'X-Shop': 'SECRET' },
          body: { id: '${{ event.event_id }}' },
        },
      }).callback,
    )
    const amqp = splitCallback(
      listenerInputSchema.parse({
        callback: {
          type: 'amqp',
          exchange: 'shop',
          url: 'amqps://example.org',
          username: 'u',
          password: 'SECRET',
          headers: { 'x-auth-token': 'SECRET', plain: 'p' },
        },
      }).callback,
    )
    expect(http.secrets).toEqual({
      'headers.authorization': 'SECRET',
      'secret_headers.x-shop': 'SECRET',
    })
    expect(amqp.secrets).toEqual({ 'headers.x-auth-token': 'SECRET', password: 'SECRET' })
    for (const { callback } of [http, amqp]) {
      const kept = listenerSchema.parse(aListener({ callback }))
      expect(JSON.stringify([kept, chainOfListener(kept)])).not.toContain('SECRET')
    }
    expect(chainOfListener(aListener({ callback: http.callback })).steps[0]?.config).toEqual({
      listener_id: 'shop',
      url: HTTP.url,
      method: 'POST',
      headers: { 'X-Plain': '${{ event.event_id }}' },
      body: { id: '${{ event.event_id }}' },
    })
    expect(chainOfListener(aListener({ callback: amqp.callback })).steps[0]).toMatchObject({
      handler: 'amqp_callback',
      config: { exchange: 'shop', url: 'amqps://example.org', headers: { plain: 'p' } },
    })
  })

  it('is called by the listener, and leads back to it', () => {
    expect(listenerChainIdOf('shop')).toBe('listener-shop')
    expect(listenerIdOfChain('listener-shop')).toBe('shop')
    expect(listenerIdOfChain('listener-')).toBeUndefined()
    expect(listenerIdOfChain('thanks')).toBeUndefined()
  })
})

test('headers are shown without credentials, and not longer than anybody needs', () => {
  const names = [
    'Authorization',
    'Cookie',
    'X-Auth-Token',
    'api-key',
    'X-Secret-Thing',
    'webhook-signature',
  ]
  const credentials = Object.fromEntries(names.map((name) => [name, 'SECRET']))
  const shown = shownHeaders({ ...credentials, 'X-Shop': 'SECRET', 'X-Long': 'x'.repeat(300) }, [
    'x-shop',
  ])
  expect(JSON.stringify(shown)).not.toContain('SECRET')
  expect(shown['X-Long']).toBe(`${'x'.repeat(256)}…`)
  expect(shownHeaders({ accept: '*/*', 'x-monkey-business': 'y' })).toEqual({
    accept: '*/*',
    'x-monkey-business': 'y',
  })
})

function many(count: number): string[] {
  expect(count).toBeLessThan(LIMITS.maxEventTypesPerTrigger)
  return Array.from({ length: count }, (_, index) => `type_${index}`)
}

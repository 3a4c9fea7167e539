import { type CatalogEntry, type Chain, chainSchema, type JsonObject } from '@signalbox/contracts'
import { describe, expect, it } from 'vitest'
import { checkChain } from '../src/index.ts'

const sms: CatalogEntry = entry('send_sms', {
  type: 'object',
  properties: {
    to: { type: 'string', pattern: '^\\+[0-9]+$' },
    body: { type: 'string', minLength: 1 },
    priority: { enum: ['low', 'high'] },
    tries: { type: 'integer' },
  },
  required: ['to', 'body'],
  additionalProperties: false,
})
const catalog = [sms, entry('log', { type: 'object' })]

describe('the chain check', () => {
  it('finds nothing wrong with a sound chain', () => {
    expect(
      check({
        steps: [
          step('contact', 'log'),
          step('sms', 'send_sms', { to: '${{ results.contact.msisdn }}', body: 'Hi' }),
        ],
      }),
    ).toEqual([])
  })

  const faults: [string, Partial<ChainOverrides>, { path: string; message: RegExp }][] = [
    [
      'a handler nobody offers',
      { steps: [step('a', 'sned_sms')] },
      { path: 'steps[0].handler', message: /no handler "sned_sms"; known are: log, send_sms/ },
    ],
    [
      'a missing config field',
      { steps: [step('a', 'send_sms', { to: '+27820000001' })] },
      { path: 'steps[0].config.body', message: /is required/ },
    ],
    [
      'a config field nobody knows',
      { steps: [step('a', 'send_sms', { to: '+1', body: 'x', bdoy: 'x' })] },
      { path: 'steps[0].config.bdoy', message: /not a known field/ },
    ],
    [
      'a config value that does not fit',
      { steps: [step('a', 'send_sms', { to: 'you', body: 'x' })] },
      { path: 'steps[0].config.to', message: /pattern/ },
    ],
    [
      'a value outside an enumeration',
      { steps: [step('a', 'send_sms', { to: '+1', body: 'x', priority: 'urgent' })] },
      { path: 'steps[0].config.priority', message: /must be one of \["low","high"\]/ },
    ],
    [
      'a condition that does not parse',
      { steps: [{ ...step('a', 'log'), when: '1 +' }] },
      { path: 'steps[0].when', message: /.+/ },
    ],
    [
      'a template that does not parse',
      { steps: [step('a', 'log', { deep: { text: 'Hi ${{ event. }}' } })] },
      { path: 'steps[0].config.deep.text', message: /.+/ },
    ],
    [
      'a reference to a later step',
      { steps: [{ ...step('a', 'log'), when: 'has(results.b.x)' }, step('b', 'log')] },
      { path: 'steps[0].when', message: /no step "b" runs before this one/ },
    ],
    [
      'a reference to the step itself',
      { steps: [step('a', 'log', { x: '${{ results.a.x }}' })] },
      { path: 'steps[0].config', message: /no step "a" runs before/ },
    ],
    [
      'two steps with one id',
      { steps: [step('a', 'log'), step('a', 'log')] },
      { path: 'steps[1].id', message: /the id of steps\[0\] too/ },
    ],
    [
      'results in a trigger',
      { trigger: { conversation_type: 'poll', event_type: 'x', when: 'has(results.a)' } },
      { path: 'trigger.when', message: /a trigger sees the event only/ },
    ],
    [
      'a fault in the steps of on_error',
      { steps: [{ ...step('a', 'log'), on_error: { steps: [step('b', 'nope')] } }] },
      { path: 'steps[0].on_error.steps[0].handler', message: /no handler "nope"/ },
    ],
  ]
  it.each(faults)('names %s and where it is', (_what, overrides, expected) => {
    expect(check(overrides)).toEqual([
      { path: expected.path, message: expect.stringMatching(expected.message) as string },
    ])
  })

  it('lets the steps of on_error see the failed step and those before it, but not those after', () => {
    const rescue = step('rescue', 'log', {
      a: '${{ has(results.first) }}',
      b: '${{ has(results.failing) }}',
    })
    const steps = [
      step('first', 'log'),
      { ...step('failing', 'log'), on_error: { steps: [rescue] } },
      step('after', 'log'),
    ]
    expect(check({ steps })).toEqual([])
  })

  it('does not hold a template against the schema: it may become anything', () => {
    const config = {
      to: '${{ event.person_key }}',
      body: '${{ event.event_data.text }}',
      tries: '${{ event.event_data.n }}',
    }
    expect(check({ steps: [step('a', 'send_sms', config)] })).toEqual([])
  })

  it('does not choose a branch of a union for a template', () => {
    const either = entry('either', {
      type: 'object',
      anyOf: [
        { properties: { kind: { const: 'a' }, x: { type: 'string' } }, required: ['x'] },
        { properties: { kind: { const: 'b' }, y: { type: 'string' } }, required: ['y'] },
      ],
    })
    const chain = (config: JsonObject) =>
      check({ steps: [step('a', 'either', config)] }, [either]).map(({ path }) => path)
    expect(chain({ kind: '${{ event.event_data.kind }}', z: 1 })).toEqual([])
    expect(chain({ kind: 'a', z: 1 })).toContain('steps[0].config.x')
  })

  it('names every fault at once', () => {
    expect(check({ steps: [step('a', 'nope'), step('a', 'nope')] })).toHaveLength(3)
  })
})

type ChainOverrides = { steps: unknown[]; trigger: unknown }

function check(overrides: Partial<ChainOverrides>, handlers: readonly CatalogEntry[] = catalog) {
  const chain: Chain = chainSchema.parse({
    name: 'A chain',
    trigger: { conversation_type: 'poll', event_type: 'poll_complete' },
    steps: [step('a', 'log')],
    ...overrides,
  })
  return checkChain(chain, handlers)
}

function step(id: string, handler: string, config: JsonObject = {}) {
  return { id, handler, config }
}

function entry(name: string, config_schema: JsonObject): CatalogEntry {
  return {
    name,
    description: '',
    config_schema,
    fires: [],
    workers: [],
    registered_at: '2026-01-01T00:00:00.000Z',
  }
}
